"""Maths on the zone's network: power flow, limits, envelopes. Knows no other room, no clock and no I/O."""
