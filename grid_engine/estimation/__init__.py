"""The state of the network from few meters."""
