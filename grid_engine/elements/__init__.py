"""Admittances of single elements, in siemens between the nodes they stand at: what the nodal equations are made of."""
