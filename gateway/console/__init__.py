"""The operator's door to a running zone: what waits, what holds and why, and everything that he may do about it."""
