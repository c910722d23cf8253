"""Training: one loop for every network, and what each process of a training needs.

Nothing here knows an algorithm: :mod:`training.task` says what an algorithm supplies. ``launch`` is light and
imports no torch.
"""
