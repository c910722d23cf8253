"""``make demo``: from handwritten digits to a served model on a real cluster, with figures.

``start`` brings the machine up with nothing but the standard library; ``__main__`` does the rest in the
project's own environment.
"""
