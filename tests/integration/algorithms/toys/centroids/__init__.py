"""centroids: the mean image of each label; no network, no steps, no loop."""
