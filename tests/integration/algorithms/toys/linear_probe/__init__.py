"""linear-probe: a linear classifier on grey pixels, trained by the common loop."""
