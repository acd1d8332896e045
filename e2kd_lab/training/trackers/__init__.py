"""Trackers: TensorBoard, Weights & Biases, trackio, and one's own; one file each."""

from e2kd_lab.system.registry import import_files
from e2kd_lab.training.trackers.interface import TRACKERS, Tracker, register_tracker, tracker

__all__ = ["TRACKERS", "Tracker", "register_tracker", "tracker"]

import_files(__name__, __path__)
