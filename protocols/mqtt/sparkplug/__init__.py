"""Sparkplug B (Eclipse Sparkplug 3.0): codec and sessions without I/O, and the adapter on top of them."""
