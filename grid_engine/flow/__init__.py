"""Power flow: nodal equations, batches, and the controllers that act in them."""
