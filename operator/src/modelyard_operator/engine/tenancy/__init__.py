"""The storage of each namespace: a bucket of its own with its own keys, and who makes them."""
