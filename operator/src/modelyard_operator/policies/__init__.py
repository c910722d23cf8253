"""Pure decisions, one a module: inputs in, verdict out; the clock is an argument."""
