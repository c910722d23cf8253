"""Limits that hold for a Dataset's reading, for training and for serving alike."""

MAX_PIXELS = 178_956_970
"""An image of more pixels is refused as a decompression bomb (Pillow's own limit): what the Dataset has
taken, a worker and a server take too."""
