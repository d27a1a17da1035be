"""The surroundings of an atom as Gaussian densities on nested grids (Equations 1 and 2)."""
