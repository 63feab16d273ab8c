"""Which physics plays a simulated device: the plain one, or OpenDER's where the zone file asks for it."""

from gateway.testbed.device import DeviceSpec, SimulatedDevice


def device_of(spec: DeviceSpec, now_s: float) -> SimulatedDevice:
    """A device with the physics of its specification.

    Raises:
        ValueError: OpenDER is not installed, or has no model of this device.
    """
    if spec.physics != "opender":
        return SimulatedDevice(spec, now_s)
    try:
        # It takes a second to import: only the zone that needs it pays.
        from gateway.testbed.opender import OpenDerDevice  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ValueError(f"{spec.resource} is played by OpenDER, which is missing: install ampacity[sim]") from error
    return OpenDerDevice(spec, now_s)
