"""What flexibility is worth in place of something else: a figure, what it assumes, and what moves it most."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


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
