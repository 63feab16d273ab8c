"""Logs: one JSON line per event for machines, one aligned line for people, and a catalogue of all events."""

from gateway.logs.setup import configure

__all__ = ["configure"]
