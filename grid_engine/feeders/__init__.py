"""Networks that come with the project: public test feeders, and a demonstration zone of its own."""

from grid_engine.feeders.public import NAMES, Reference, ShortCircuit, load, reference

__all__ = ["NAMES", "Reference", "ShortCircuit", "load", "reference"]
