"""Northbound: the zone as test benches, SCADA and other systems of the utility see and operate it."""
