"""A published model as three parts: decode an item, run a batch, answer for each item.

The server puts a batcher between the first two; whatever predicts over a dataset runs them in a row.
Nothing here knows an algorithm, a protocol or the object store.
"""
