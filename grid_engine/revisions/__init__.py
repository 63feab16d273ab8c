"""Versions of a network: what differs, and which one holds."""
