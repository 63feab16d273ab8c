"""A simulated RTU: a point map and a simple plant around the outstation of `protocols.dnp3`, served over TCP or TLS."""
