"""The tools for the field behind `ampacity scan`, `read`, `write`, `watch` and `devices`."""
