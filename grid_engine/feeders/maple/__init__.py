"""Maple: a demonstration zone generated from a seed, a pair of rural 27.6/16 kV four-wire feeders as in Ontario."""
