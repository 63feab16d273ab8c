"""Sessions of adapters on tape: recorded at the edge to the field, checked in virtual time, played as a device."""
