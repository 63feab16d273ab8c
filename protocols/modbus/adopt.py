"""Has a device adopt a curve and shows that it did: fill, offer, wait for its word, and read back what is in force."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from protocols.modbus.client import ModbusError, RefusedError
from protocols.modbus.curves import SHAPES, TRIPS, Adoption, Curve, offer, unlike
from protocols.modbus.device import SunSpecDevice
from protocols.modbus.models import SunSpecError
from protocols.modbus.sunspec import Model, Reading
from protocols.signals import Outcome

LOOK_S: Final = 0.2
"""Between two looks at whether the device has made up its mind."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """How it ended."""

    outcome: Outcome
    """`WRITTEN`: in force, as read back. `REJECTED`: turned down, or not what is in force. `UNKNOWN`: no answer."""
    detail: str
    differences: Mapping[str, float | None] = field(default_factory=dict)


async def adopt(
    device: SunSpecDevice, model: Model, curve: Curve, *, within_s: float = 10.0, reverts_s: int | None = None
) -> Adopted:
    """Put a curve in force and enable its function.

    Args:
        device: the device that has the model.
        model: as found by `SunSpecDevice.scan`.
        curve: what is to be in force.
        within_s: how long the device may take to make up its mind.
        reverts_s: after this time the device returns to the curve that was in force before, where it has a timer.
            `None`: never.

    Raises:
        SunSpecError: the device has no room for such a curve, or no timer; then nothing was written.
    """
    shape = SHAPES[curve.model_id]
    try:
        before = await device.read(model)
        has_timer = model.model_id not in TRIPS and before.values.get("RvrtTms") is not None
        if reverts_s is not None and not (has_timer and before.values.get(shape.reverts_to) is not None):
            raise SunSpecError(f"model {model.model_id}: this device cannot return to another curve by itself")
        offered = offer(curve, model, before, keep=reverts_s is not None)
        await device.write(model, offered.values)
        await device.write(model, {shape.request: float(offered.index)})
        stale = before.values.get(shape.result) == Adoption.FAILED
        said, found = await _word(device, model, curve, within_s, stale=stale)
        if said is not Adoption.COMPLETED:
            outcome = Outcome.REJECTED if said is Adoption.FAILED else Outcome.UNKNOWN
            return Adopted(outcome, f"model {model.model_id}: curve {offered.index} was offered, {_WORDS[said]}")
        if not unlike(curve, found):
            for step in (*_timer(has_timer, reverts_s, offered.kept, shape.reverts_to), {"Ena": 1.0}):
                await device.write(model, step)
            found = await device.read(model)
    except RefusedError as error:
        return Adopted(Outcome.REJECTED, str(error))
    except ModbusError as error:
        return Adopted(Outcome.UNKNOWN, str(error))
    wrong = unlike(curve, found)
    if not wrong and found.values.get("Ena") != 1:
        wrong["Ena"] = found.values.get("Ena")
    if wrong:
        return Adopted(Outcome.REJECTED, f"model {model.model_id}: adopted, but something else is in force", wrong)
    return Adopted(Outcome.WRITTEN, f"model {model.model_id}: curve {offered.index} was adopted and is in force")


_WORDS: Final[Mapping[Adoption | None, str]] = {
    Adoption.FAILED: "and turned down",
    Adoption.IN_PROGRESS: "and the device has not made up its mind in time",
    None: "and the device does not say what became of it",
}


def _timer(
    has_timer: bool,  # noqa: FBT001
    reverts_s: int | None,
    kept: int | None,
    reverts_to: str,
) -> tuple[dict[str, float], ...]:
    """The reversion, step by step, before the enable; one that somebody left there is taken out."""
    if reverts_s is None or kept is None:
        return ({"RvrtTms": 0.0},) if has_timer else ()
    return {reverts_to: float(kept)}, {"RvrtTms": float(reverts_s)}


async def _word(
    device: SunSpecDevice, model: Model, curve: Curve, within_s: float, *, stale: bool
) -> tuple[Adoption | None, Reading]:
    """The device's word and what it holds, once they can be believed.

    A word may still be that of an earlier offer: "completed" counts when the curve is in force, and "failed" at
    once only where it did not stand there before.
    """
    loop = asyncio.get_running_loop()
    until_s = loop.time() + within_s
    while True:
        found = await device.read(model)
        value = found.values.get(SHAPES[curve.model_id].result)
        said = Adoption(int(value)) if value in set(Adoption) else None
        settled = said is Adoption.COMPLETED and not unlike(curve, found)
        if settled or said is None or (said is Adoption.FAILED and not stale) or loop.time() >= until_s:
            return said, found
        await asyncio.sleep(LOOK_S)
