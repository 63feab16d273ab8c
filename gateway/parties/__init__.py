"""The point-to-point HTTP interfaces to system operator, DER/As and host."""
