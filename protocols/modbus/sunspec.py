"""SunSpec maps without I/O: the chain of models, spans to read, writes to send, and the image of a simulated device.

A value and its scale factor are always taken from the same read, because devices change their scale
factors while they run.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from protocols.modbus.codec import (
    Registers,
    Rounding,
    decode_raw,
    decode_text,
    encode,
    encode_text,
    is_text,
    not_implemented,
    scaled,
)
from protocols.modbus.models import NO_COUNTS, Placed, SunSpecError, count_points, known_models, layout

MARKER = (0x5375, 0x6E53)
"""The two registers "SunS" in front of the first model."""
BASES = (40000, 0, 50000)
"""Where a SunSpec map may begin, in the order in which they are tried."""
END_MODEL = 0xFFFF
READ_MAX = 125
"""Registers in one read: Modbus application protocol, function code 3."""
WRITE_MAX = 123
"""The same in one write, function code 16."""
NO_FACTORS: Mapping[str, float | None] = MappingProxyType({})
CHAIN_MAX = 200
"""Models in one map; a longer chain is a fault of the device."""


class IllegalAddressError(SunSpecError):
    """The address is outside of the map, or may not be written."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model found in, or laid out for, one device."""

    model_id: int
    address: int
    """Of the ID point."""
    points: Mapping[str, Placed]

    @classmethod
    def at(
        cls, model_id: int, address: int, length: int | None = None, counts: Mapping[str, int] = NO_COUNTS
    ) -> "Model":
        """Lay out a model of which the device says `length`, or a whole one."""
        return cls(model_id, address, {point.name: point for point in layout(model_id, length, counts)})

    def __contains__(self, name: str) -> bool:
        return name in self.points

    def joined(self, other: "Model") -> "Model":
        """Both as one, under the id of this one; of points that both have, this one's."""
        moved = {
            name: replace(point, offset=point.offset + other.address - self.address)
            for name, point in other.points.items()
            if name not in self.points
        }
        return Model(self.model_id, self.address, {**self.points, **moved})

    @property
    def size(self) -> int:
        """Registers with ID and L."""
        return max(point.end for point in self.points.values())

    def span(self, names: Iterable[str] | None = None) -> "Span":
        """The registers to read at once for `names` (all points where `None`) and their scale factors.

        Names that the device's model does not have are left out.

        Raises:
            SunSpecError: it has none of them, or they lie too far apart for one read.
        """
        spans = self.spans(names)
        if len(spans) != 1 or spans[0].factors:
            raise SunSpecError(f"model {self.model_id}: {names} do not fit one read")
        return spans[0]

    def spans(self, names: Iterable[str] | None = None, most: int = READ_MAX) -> tuple["Span", ...]:
        """The same in as few reads as possible, none of which takes more than `most` registers.

        A value that lies farther than that from its scale factor comes in a span that names the `factors` it needs.

        Raises:
            SunSpecError: the device's model has none of `names`.
        """
        wanted = [self.points[name] for name in (self.points if names is None else names) if name in self.points]
        if not wanted:
            raise SunSpecError(f"model {self.model_id} at {self.address} has none of {names}")
        runs: list[tuple[int, int, frozenset[str]]] = []
        for point in sorted(wanted, key=lambda point: point.offset):
            first, end, apart = self._needs(point, most)
            if runs:
                low, high, other = min(runs[-1][0], first), max(runs[-1][1], end), runs[-1][2]
                if high - low <= most and bool(apart) == bool(other):
                    runs[-1] = low, high, apart | other
                    continue
            runs.append((first, end, apart))
        return tuple(Span(self, self.address + low, high - low, apart) for low, high, apart in runs)

    def _needs(self, point: Placed, most: int) -> tuple[int, int, frozenset[str]]:
        """First and last register to read a point together with its scale factor, or the factor's name."""
        factor = self.points.get(point.scale) if isinstance(point.scale, str) else None
        if factor is None:
            return point.offset, point.end, frozenset()
        first, end = min(point.offset, factor.offset), max(point.end, factor.end)
        return (
            (first, end, frozenset()) if end - first <= most else (point.offset, point.end, frozenset((factor.name,)))
        )


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive registers of one model, read in one transaction."""

    model: Model
    address: int
    count: int
    factors: frozenset[str] = frozenset()
    """Scale factors that lie elsewhere, and have to be read before and after: a device may change them meanwhile."""

    def decode(self, registers: Registers, factors: Mapping[str, float | None] = NO_FACTORS) -> "Reading":
        """Scale every number by the factor in the span, or else in `factors`.

        Raises:
            SunSpecError: the answer has another length than was asked for.
        """
        if len(registers) != self.count:
            raise SunSpecError(f"asked for {self.count} registers at {self.address}, got {len(registers)}")
        start = self.address - self.model.address
        inside = [p for p in self.model.points.values() if start <= p.offset and p.end <= start + self.count]
        raw = {p.name: decode_raw(p, registers[p.offset - start : p.end - start]) for p in inside}
        known = {**factors, **raw} if factors else raw
        # The factor of a point may lie in another span, which then is the one to tell the point's value.
        inside = [p for p in inside if p.scale not in self.model.points or p.scale in known]
        exponents = {p.name: known.get(p.scale) if isinstance(p.scale, str) else p.scale or 0 for p in inside}
        texts = {p.name: decode_text(registers[p.offset - start : p.end - start]) for p in inside if is_text(p)}
        return Reading(
            texts=texts,
            values={p.name: scaled(raw[p.name], exponents[p.name]) for p in inside},
            exponents={name: int(exponent) for name, exponent in exponents.items() if exponent is not None},
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """What one read of a span says."""

    values: dict[str, float | None]
    """Scaled; `None` where not implemented."""
    exponents: dict[str, int]
    """The scale factor that each point has at this moment, by the point's name."""
    texts: dict[str, str] = field(default_factory=dict)
    """Of the points that hold text."""

    def joined(self, other: "Reading") -> "Reading":
        """Both together."""
        return Reading(self.values | other.values, self.exponents | other.exponents, self.texts | other.texts)


@dataclass(frozen=True, slots=True)
class Write:
    """Consecutive registers to write in one transaction."""

    address: int
    registers: tuple[int, ...]
    names: tuple[str, ...]


def writes(model: Model, registers: Mapping[str, tuple[int, ...]]) -> tuple[Write, ...]:
    """Merge points that lie side by side into as few writes as possible, in ascending order of address."""
    merged: list[Write] = []
    for name in sorted(registers, key=lambda name: model.points[name].offset):
        address = model.address + model.points[name].offset
        last = merged[-1] if merged else None
        size = 0 if last is None else len(last.registers)
        if last is not None and last.address + size == address and size + len(registers[name]) <= WRITE_MAX:
            merged[-1] = Write(last.address, last.registers + registers[name], (*last.names, name))
        else:
            merged.append(Write(address, registers[name], (name,)))
    return tuple(merged)


@dataclass(frozen=True, slots=True)
class Request:
    """A read that discovery asks its driver to make."""

    address: int
    count: int


def discover(bases: Sequence[int] = BASES) -> Generator[Request, Registers | None, tuple[Model, ...]]:
    """Find the chain of models: yields reads, is sent their registers (`None` where refused), returns the models.

    Models without a definition are passed over.

    Raises:
        SunSpecError: no marker at any of `bases`, or the chain is broken.
    """
    for base in bases:
        marker = yield Request(base, 2)
        if marker is not None and tuple(marker) == MARKER:
            return (yield from _chain(base + 2))
    raise SunSpecError(f"no SunSpec marker at any of {', '.join(map(str, bases))}")


def _chain(address: int) -> Generator[Request, Registers | None, tuple[Model, ...]]:
    models: list[Model] = []
    for _ in range(CHAIN_MAX):
        header = yield Request(address, 2)
        if header is None:
            # Some devices have no register behind the ID of the end model.
            header = (*((yield Request(address, 1)) or (0,)), 0)
        model_id, length = header
        if model_id == END_MODEL:
            return tuple(models)
        if length == 0 or address + 2 + length > 0xFFFF:
            raise SunSpecError(f"model {model_id} at {address} has the impossible length {length}")
        if model_id in known_models():
            counts = yield from _counts(Model.at(model_id, address, length))
            models.append(Model.at(model_id, address, length, counts))
        address += 2 + length
    raise SunSpecError(f"the chain of models does not end after {CHAIN_MAX} models")


def _counts(model: Model) -> Generator[Request, Registers | None, dict[str, int]]:
    """How often the groups of a model repeat in this device."""
    names = [name for name in count_points(model.model_id) if name in model]
    if not names:
        return {}
    span = model.span(names)
    registers = yield Request(span.address, span.count)
    if registers is None or len(registers) != span.count:
        return {}
    values = span.decode(registers).values
    return {name: int(values[name] or 0) for name in names}


@dataclass(slots=True)
class ModelImage:
    """The holding registers of one simulated SunSpec device, built from model definitions.

    Points are named `"<model id>.<point>"`, for example `704.WMaxLimPct`. All begin as "not
    implemented", but scale factors begin at 0. Set scale factors before the values that use them.
    """

    model_ids: Sequence[int]
    base: int = BASES[0]
    counts: Mapping[str, int] = field(default_factory=dict)
    """How often groups repeat, by the name of the point that says so, for example `NPt`."""
    registers: list[int] = field(init=False)
    models: Mapping[int, Model] = field(init=False)

    def __post_init__(self) -> None:
        self.registers = list(MARKER)
        self.models = {}
        models: dict[int, Model] = {}
        for model_id in self.model_ids:
            model = Model.at(model_id, self.base + len(self.registers), counts=self.counts)
            models[model_id] = model
            for point in model.points.values():
                self.registers += (0,) if point.type == "sunssf" else not_implemented(point)
            self.models = models
            self.set(f"{model_id}.ID", model_id)
            self.set(f"{model_id}.L", model.size - 2)
            for name in count_points(model_id):
                self.set(f"{model_id}.{name}", self.counts.get(name, 0))
        self.registers += (END_MODEL, 0)

    def set(self, name: str, value: float | str | None, rounding: Rounding = Rounding.NEAREST) -> None:
        """Put a scaled value, a text, or "not implemented" (`None`) into a point.

        Raises:
            KeyError: the image has no such point.
            OutOfRangeError: the value does not fit.
        """
        start, point = self._find(name)
        if isinstance(value, str):
            registers = encode_text(point, value)
        else:
            registers = encode(point, value, int(self._exponent(name, point) or 0), rounding)
        self.registers[start : start + point.size] = registers

    def get(self, name: str) -> float | None:
        """The scaled value of a point, `None` where it is not implemented.

        Raises:
            KeyError: the image has no such point.
        """
        start, point = self._find(name)
        return scaled(decode_raw(point, self.registers[start : start + point.size]), self._exponent(name, point))

    def read(self, address: int, count: int) -> list[int]:
        """What a client gets.

        Raises:
            IllegalAddressError: part of it is outside of the map.
        """
        start = address - self.base
        if start < 0 or count < 1 or start + count > len(self.registers):
            raise IllegalAddressError(f"{count} registers at {address} are not all in the map")
        return self.registers[start : start + count]

    def write(self, address: int, values: Registers) -> tuple[str, ...]:
        """Take what a client writes, and tell which points it touched, in order of address.

        Raises:
            IllegalAddressError: part of it is outside of the map or read-only; then nothing is written.
        """
        self.read(address, len(values))
        touched = [
            (f"{model.model_id}.{point.name}", point)
            for model in self.models.values()
            for point in model.points.values()
            if model.address + point.offset < address + len(values) and address < model.address + point.end
        ]
        locked = [name for name, point in touched if not point.writable]
        if locked or not touched:
            raise IllegalAddressError(f"read-only: {', '.join(locked) or address}")
        start = address - self.base
        self.registers[start : start + len(values)] = [value & 0xFFFF for value in values]
        return tuple(name for name, _ in touched)

    def _find(self, name: str) -> tuple[int, Placed]:
        model_id, _, path = name.partition(".")
        model = self.models[int(model_id)]
        point = model.points[path]
        return model.address + point.offset - self.base, point

    def _exponent(self, name: str, point: Placed) -> float | None:
        if not isinstance(point.scale, str):
            return point.scale or 0
        start, factor = self._find(f"{name.partition('.')[0]}.{point.scale}")
        return decode_raw(factor, self.registers[start : start + factor.size])
