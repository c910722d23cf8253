"""One program for each published figure; `make help` lists the commands."""
