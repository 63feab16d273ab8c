"""The gateway: what it decides, what it remembers, and the world that it is tested against."""
