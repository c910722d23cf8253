"""Pure builders: spec and observed state in, manifests out. One module for each family of objects."""
