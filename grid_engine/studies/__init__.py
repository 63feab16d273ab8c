"""Limits and who may do what under them: impact, residual envelopes, needs, contingencies, short circuits."""
