"""The simulated world on the other side of the wire: devices and parties on the true network of the zone."""
