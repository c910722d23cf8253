"""image-classification: one label for an image, by a small 6-layer CNN trained with PyTorch DDP."""
