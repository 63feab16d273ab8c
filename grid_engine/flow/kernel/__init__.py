"""Compiled loops of the power flow: sparse elimination, Newton's method, and batches with eight cases side by side."""
