"""Prices of one tariff as events: no two of one tariff are in force at once, so none supersedes another."""

from dataclasses import dataclass, field

from ieee2030_5.resources import ConsumptionTariffInterval, TimeTariffInterval


@dataclass(slots=True)
class Tariff:
    """One TariffProfile with its one RateComponent: the price of energy for a group of devices."""

    slug: str
    mrid: str
    component_mrid: str
    group: str
    """Whose tariff it is; nobody else sees it."""
    primacy: int
    currency: int
    """ISO 4217 number."""
    power_of_ten: int
    """Prices are multiplied by ten to this."""
    description: str
    version: int = 0
    intervals: dict[str, TimeTariffInterval] = field(default_factory=dict)
    """By the last part of their URI."""
    prices: dict[str, dict[str, ConsumptionTariffInterval]] = field(default_factory=dict)
    """Blocks of consumption with their price, by interval and number."""
    revision: int = 0

    @property
    def href(self) -> str:
        """URI of the TariffProfile."""
        return f"/tp/{self.slug}"
