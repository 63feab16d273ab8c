"""Readers of other programs' network files; each imports its program only when it is called."""
