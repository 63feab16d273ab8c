"""Where the sun stands and what a clear sky would give, so that photovoltaic power can be told as a share of it.

Times are UTC epoch seconds, angles degrees, irradiance W/m². Sun: J. J. Michalsky, "The Astronomical Almanac's
algorithm for approximate solar position (1950-2050)", Solar Energy 40 (1988), good to 0.01 degrees, without
refraction. Clear sky: global by B. Haurwitz, "Insolation in relation to cloudiness and cloud density", Journal
of Meteorology 2 (1945), the best of those that need the zenith alone in SAND2012-2389; beam by A. B. Meinel and
M. P. Meinel, "Applied Solar Energy" (1976), with the air mass of F. Kasten and A. T. Young, Applied Optics 28
(1989). On a tilted plane the sky is isotropic (B. Liu and R. Jordan, Solar Energy 7 (1963)).
"""

from dataclasses import dataclass

import numpy as np

from grid_engine.model import FloatArray, IntArray

STANDARD_W_M2 = 1000.0
"""Irradiance at which panels are rated."""

_J2000_S = 946_728_000
"""2000-01-01 12:00 UTC."""
_SOLAR_CONSTANT_W_M2 = 1353.0
"""As in the formula of Meinel and Meinel."""
_ALBEDO = 0.2
_SAMPLE_S = 300
"""Longer intervals are averaged from samples no further apart than this."""


@dataclass(frozen=True, slots=True)
class Panels:
    """A photovoltaic plant as its clear-sky power depends on it."""

    latitude_deg: float
    longitude_deg: float
    """East positive."""
    capacity_w: float
    """Power at `STANDARD_W_M2`."""
    tilt_deg: float = 0.0
    """From the horizontal."""
    azimuth_deg: float = 180.0
    """Where the panels face, clockwise from north."""


@dataclass(frozen=True, slots=True, eq=False)
class Sun:
    """Position of the sun, one entry per time."""

    elevation_deg: FloatArray
    """Above the horizon, without refraction."""
    azimuth_deg: FloatArray
    """Clockwise from north, 0 to 360."""
    distance_au: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Sky:
    """Irradiance, one entry per time."""

    global_w_m2: FloatArray
    """On the horizontal."""
    beam_w_m2: FloatArray
    """Across the beam."""
    diffuse_w_m2: FloatArray
    """On the horizontal."""


def sun(epoch_s: FloatArray | IntArray, latitude_deg: float, longitude_deg: float) -> Sun:
    """The sun at each time; longitude east positive."""
    days = (np.asarray(epoch_s, dtype=np.float64) - _J2000_S) / 86_400
    anomaly = np.deg2rad(357.528 + 0.9856003 * days)
    longitude = np.deg2rad(280.460 + 0.9856474 * days + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    tilt = np.deg2rad(23.439 - 0.0000004 * days)
    declination = np.arcsin(np.sin(tilt) * np.sin(longitude))
    ascension = np.arctan2(np.cos(tilt) * np.sin(longitude), np.cos(longitude))
    sidereal_h = 6.697375 + 0.0657098242 * days + (days + 0.5) % 1.0 * 24
    hour_angle = np.deg2rad(15 * sidereal_h + longitude_deg) - ascension
    latitude = np.deg2rad(latitude_deg)
    upward = np.sin(declination) * np.sin(latitude) + np.cos(declination) * np.cos(latitude) * np.cos(hour_angle)
    eastward = -np.cos(declination) * np.sin(hour_angle)
    northward = np.sin(declination) * np.cos(latitude) - np.cos(declination) * np.sin(latitude) * np.cos(hour_angle)
    return Sun(
        elevation_deg=np.rad2deg(np.arcsin(np.clip(upward, -1, 1))),
        azimuth_deg=np.rad2deg(np.arctan2(eastward, northward)) % 360,
        distance_au=1.00014 - 0.01671 * np.cos(anomaly) - 0.00014 * np.cos(2 * anomaly),
    )


def clear_sky(position: Sun) -> Sky:
    """Irradiance under a cloudless sky; zero at night."""
    upward = np.sin(np.deg2rad(position.elevation_deg))
    day = upward > 0
    height = np.where(day, upward, 1.0)
    total = 1098.0 * height * np.exp(-0.059 / height)
    air_mass = 1 / (height + 0.50572 * (6.07995 + np.where(day, position.elevation_deg, 90.0)) ** -1.6364)
    beam = _SOLAR_CONSTANT_W_M2 * 0.7 ** (air_mass**0.678) / position.distance_au**2
    diffuse = np.maximum(total - beam * height, 0)
    return Sky(*(np.where(day, part, 0.0) for part in (total, np.minimum(beam, total / height), diffuse)))


def on_plane(sky: Sky, position: Sun, tilt_deg: float, azimuth_deg: float) -> FloatArray:
    """Irradiance on a plane, of beam, sky and ground."""
    height, tilt = np.deg2rad(position.elevation_deg), np.deg2rad(tilt_deg)
    away = np.deg2rad(position.azimuth_deg - azimuth_deg)
    facing = np.sin(height) * np.cos(tilt) + np.cos(height) * np.sin(tilt) * np.cos(away)
    beam = sky.beam_w_m2 * np.maximum(facing, 0)
    sky_seen, ground_seen = (1 + np.cos(tilt)) / 2, (1 - np.cos(tilt)) / 2
    return np.asarray(beam + sky.diffuse_w_m2 * sky_seen + sky.global_w_m2 * _ALBEDO * ground_seen)


def clear_sky_power_w(panels: Panels, start_s: IntArray, step_s: int) -> FloatArray:
    """Mean power under a clear sky over the intervals of `step_s` that begin at `start_s`."""
    samples = -(-step_s // _SAMPLE_S)
    offsets = (np.arange(samples) + 0.5) * step_s / samples
    times = np.asarray(start_s, dtype=np.float64)[:, None] + offsets
    position = sun(times.ravel(), panels.latitude_deg, panels.longitude_deg)
    irradiance = on_plane(clear_sky(position), position, panels.tilt_deg, panels.azimuth_deg)
    return np.asarray(irradiance.reshape(times.shape).mean(axis=1) * panels.capacity_w / STANDARD_W_M2)


def clear_sky_global_w_m2(panels: Panels, start_s: IntArray, step_s: int) -> FloatArray:
    """Mean global irradiance on the horizontal under a clear sky over the same intervals."""
    flat = Panels(panels.latitude_deg, panels.longitude_deg, STANDARD_W_M2)
    return clear_sky_power_w(flat, start_s, step_s)
