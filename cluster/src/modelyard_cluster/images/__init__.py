"""Building the project's images from a checkout, and bringing them to where a cluster can pull them."""
