"""The operators under test: how each is installed, and its manifest of a job with two pods."""

from __future__ import annotations

from bench.control_plane.subjects.base import Subject
from bench.control_plane.subjects.modelyard import Modelyard
from bench.control_plane.subjects.trainer import Trainer
from bench.control_plane.subjects.training_operator import TrainingOperator

SUBJECTS: dict[str, type[Subject]] = {found.name: found for found in (Modelyard, TrainingOperator, Trainer)}
OURS = Modelyard.name
