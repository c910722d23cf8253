"""The dataset job: reads a source, validates every item, writes an immutable version."""
