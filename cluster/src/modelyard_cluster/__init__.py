"""Local Kubernetes clusters for Modelyard, and the images that run on them."""
