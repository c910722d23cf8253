"""The built-in algorithms: one folder for each, found by :mod:`catalog`; none imports another."""
