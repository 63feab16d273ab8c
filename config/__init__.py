"""Typed settings, a loader that reports every fault at once with its place, and the example zones."""
