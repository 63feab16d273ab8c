"""What can be wrong with a network, one kind of thing per module; `grid_engine.modelling.checks` asks them all."""
