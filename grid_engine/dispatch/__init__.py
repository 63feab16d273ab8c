"""Offers, schedules, prices, and what the network itself can do."""
