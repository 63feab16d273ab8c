"""What can be wrong with a network, one kind of thing per module; `grid_engine.checks` asks them all."""
