"""Scenarios: given, when, then on a zone, its simulated world and its gateway in one process on a virtual clock."""
