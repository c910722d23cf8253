"""One module for each kind: Observed in, Plan out. Pure; the engine does what the plan says."""
