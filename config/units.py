"""From the units of the trade in the zone file to the SI units used inside."""

_MEGA = 1e6
_KILO = 1e3


def watts(megawatts: float) -> float:
    """MW to W, exact to the milliwatt so that 0.1 MW is 100 000 W and not its neighbour."""
    return round(megawatts * _MEGA, 3)


def megawatts(watts_given: float) -> float:
    """W to MW, or Wh to MWh, as a person would write it."""
    return round(watts_given / _MEGA, 6)


def watts_or_none(megawatts: float | None) -> float | None:
    """MW to W where a value is given."""
    return None if megawatts is None else watts(megawatts)


def watt_hours(megawatt_hours: float) -> float:
    """MWh to Wh."""
    return round(megawatt_hours * _MEGA, 3)


def volt_amperes(megavolt_amperes: float) -> float:
    """MVA to VA."""
    return round(megavolt_amperes * _MEGA, 3)


def amperes(kiloamperes: float) -> float:
    """The kA of fault levels to A."""
    return round(kiloamperes * _KILO, 6)


def watts_per_second(megawatts_per_minute: float) -> float:
    """A ramp in MW per minute to W/s."""
    return megawatts_per_minute * _MEGA / 60


def per_unit(percent: float) -> float:
    """Percent to a share of one."""
    return percent / 100
