"""Typed models of every kind, one module each; ``registry`` finds them."""
