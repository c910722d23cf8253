"""Checks of style that ruff does not have; `make lint` runs them."""
