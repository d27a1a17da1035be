"""MR-3D-DenseNet: its layers, its file, and running it over orientations."""
