"""Modelyard's algorithms, training runtime, dataset jobs and model server.

Only :mod:`modelyard_algorithms.contract`, :mod:`modelyard_algorithms.catalog` and each algorithm's
``config`` are imported by the operator; they need pydantic and nothing else. All other modules run
inside the runtime image and may import torch.
"""
