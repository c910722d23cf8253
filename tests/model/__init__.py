"""The model checker: the real engine and plans against a cluster in memory, under every kind of trouble."""
