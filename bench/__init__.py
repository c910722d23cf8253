"""One program for each figure that we claim; `make help` tells how to run them."""
