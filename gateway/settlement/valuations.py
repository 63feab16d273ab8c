"""What flexibility is worth in place of something else: a figure, what it assumes, and what moves it most."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import exp
from typing import Final

NORMAL_LIFE_H: Final = 180_000.0
"""Of insulation at a hottest spot of 110 °C (IEEE C57.91)."""


@dataclass(frozen=True, slots=True)
class Valuation:
    """One value with its grounds."""

    name: str
    value: float
    unit: str
    assumptions: Mapping[str, float]
    sensitivity: Mapping[str, float]
    """Change of the value where an assumption rises by a tenth, everything else as it is."""


def deferral(capex: float, rate: float, years: float) -> Valuation:
    """Present value of building later: capex * (1 - (1 + rate)^-years), dollars."""
    return _valued(
        "long-term contract (deferral)",
        "$",
        lambda capex, rate, years: capex * (1 - (1 + rate) ** -years),
        capex=capex,
        rate=rate,
        years=years,
    )


def outage(probability_less: float, load_mw: float, hours: float, lost_load_per_mwh: float) -> Valuation:
    """Expected energy not lost times the value of lost load, dollars."""
    return _valued(
        "outage management",
        "$",
        lambda probability_less, load_mw, hours, lost_load_per_mwh: (
            probability_less * load_mw * hours * lost_load_per_mwh
        ),
        probability_less=probability_less,
        load_mw=load_mw,
        hours=hours,
        lost_load_per_mwh=lost_load_per_mwh,
    )


def voltage_reduction(factor: float, reduction_pct: float, load_mw: float) -> Valuation:
    """Load saved by conservation voltage reduction, MW; `factor` is percent of load per percent of voltage."""
    return _valued(
        "voltage reduction",
        "MW",
        lambda factor, reduction_pct, load_mw: factor * reduction_pct / 100 * load_mw,
        factor=factor,
        reduction_pct=reduction_pct,
        load_mw=load_mw,
    )


def switching(
    curtailment_avoided_mwh: float, losses_avoided_mwh: float, price_per_mwh: float, operations_cost: float
) -> Valuation:
    """Energy kept and losses saved less what the switching costs, dollars."""
    return _valued(
        "switching",
        "$",
        lambda curtailment_avoided_mwh, losses_avoided_mwh, price_per_mwh, operations_cost: (
            (curtailment_avoided_mwh + losses_avoided_mwh) * price_per_mwh - operations_cost
        ),
        curtailment_avoided_mwh=curtailment_avoided_mwh,
        losses_avoided_mwh=losses_avoided_mwh,
        price_per_mwh=price_per_mwh,
        operations_cost=operations_cost,
    )


def locational(dual_per_mwh: float, power_mw: float, hours: float) -> Valuation:
    """A constraint's dual price times the energy that relieves it, dollars."""
    return _valued(
        "locational price",
        "$",
        lambda dual_per_mwh, power_mw, hours: dual_per_mwh * power_mw * hours,
        dual_per_mwh=dual_per_mwh,
        power_mw=power_mw,
        hours=hours,
    )


@dataclass(frozen=True, slots=True)
class Loading:
    """One step of a transformer's load course: as it would be, and with gentler use."""

    before_pu: float
    """Apparent power over rating, whichever way it flows."""
    after_pu: float
    ambient_c: float
    hours: float


@dataclass(frozen=True, slots=True)
class Thermal:
    """How warm a transformer becomes, from its test report."""

    top_oil_rise_c: float
    """Over ambient at rated load."""
    hot_spot_rise_c: float
    """Of the hottest spot over the top oil at rated load."""
    loss_ratio: float
    """Losses under rated load over those without load."""
    oil_exponent: float = 0.8
    """The exponents are those of natural circulation of oil and air (ONAN)."""
    winding_exponent: float = 0.8

    def hot_spot_c(self, load_pu: float, ambient_c: float) -> float:
        """The hottest spot once a load has lasted long enough (IEEE C57.91, steady state)."""
        squared = load_pu**2
        oil = ((squared * self.loss_ratio + 1) / (self.loss_ratio + 1)) ** self.oil_exponent
        winding = squared**self.winding_exponent
        return float(ambient_c + self.top_oil_rise_c * oil + self.hot_spot_rise_c * winding)


def ageing_factor(hot_spot_c: float) -> float:
    """How much faster than at 110 °C the insulation of 65 °C average winding rise ages (IEEE C57.91)."""
    return exp(15_000 / 383 - 15_000 / (hot_spot_c + 273))


def ageing(
    course: Sequence[Loading], replacement_cost: float, thermal: Thermal, life_h: float = NORMAL_LIFE_H
) -> Valuation:
    """What gentler use of a transformer saves: the life that it does not lose times its replacement, dollars.

    The oil warms within hours: a step much shorter than that is taken for warmer, or cooler, than it gets.

    Args:
        course: at least one step.
        replacement_cost: of the transformer as it stands, dollars.
        life_h: normal life of the insulation at 110 °C.
    """
    peak_pu = max(step.before_pu for step in course)
    mean_c = sum(step.ambient_c * step.hours for step in course) / sum(step.hours for step in course)

    def formula(
        *, replacement_cost: float, peak_load_pu: float, mean_ambient_c: float, life_h: float, **of: float
    ) -> float:
        scale, warmer_c = peak_load_pu / peak_pu if peak_pu else 1.0, mean_ambient_c - mean_c
        return _avoided_h(course, Thermal(**of), scale, warmer_c) / life_h * replacement_cost

    return _valued(
        "asset management (ageing)",
        "$",
        formula,
        replacement_cost=replacement_cost,
        peak_load_pu=peak_pu,
        mean_ambient_c=mean_c,
        **asdict(thermal),
        life_h=life_h,
    )


def _avoided_h(course: Sequence[Loading], thermal: Thermal, scale: float, warmer_c: float) -> float:
    """Hours of normal life that are not lost, with loads and ambient temperatures moved by this much."""

    def factor(load_pu: float, ambient_c: float) -> float:
        return ageing_factor(thermal.hot_spot_c(load_pu * scale, ambient_c + warmer_c))

    return sum(
        (factor(step.before_pu, step.ambient_c) - factor(step.after_pu, step.ambient_c)) * step.hours for step in course
    )


@dataclass(frozen=True, slots=True)
class Option:
    """One way to meet a need."""

    name: str
    cost: float
    """Present value, dollars."""
    energy_mwh: float
    """Delivered over its life."""
    certainty: float
    """Probability that it delivers, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """An option in comparison."""

    option: Option
    cost_per_mwh: float
    risk_adjusted_per_mwh: float
    """Per MWh that can be expected."""
    net_value: float
    """Benefit less cost, dollars."""


def compared(options: Sequence[Option], benefit_per_mwh: float) -> tuple[Ranked, ...]:
    """Options by risk-adjusted cost per MWh, the cheapest first; what can never deliver comes last."""
    rows = [
        Ranked(
            option,
            option.cost / option.energy_mwh if option.energy_mwh else float("inf"),
            option.cost / (option.energy_mwh * option.certainty)
            if option.energy_mwh * option.certainty
            else float("inf"),
            benefit_per_mwh * option.energy_mwh * option.certainty - option.cost,
        )
        for option in options
    ]
    return tuple(sorted(rows, key=lambda row: (row.risk_adjusted_per_mwh, row.option.name)))


def _valued(name: str, unit: str, formula: Callable[..., float], **assumptions: float) -> Valuation:
    value = formula(**assumptions)
    sensitivity = {key: formula(**{**assumptions, key: 1.1 * amount}) - value for key, amount in assumptions.items()}
    return Valuation(name, value, unit, assumptions, sensitivity)
