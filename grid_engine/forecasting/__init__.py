"""Loads and photovoltaic power in the hours and the day ahead."""
