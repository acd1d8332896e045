"""The training loop, its recipes, checkpoints and watchers, and evaluation."""

from e2kd_lab.training.evaluation import measures, outcomes
from e2kd_lab.training.hardware import Hardware
from e2kd_lab.training.loss_terms import LossTerms, loss_terms
from e2kd_lab.training.multilabel_evaluation import multilabel_measures, multilabel_outcomes
from e2kd_lab.training.own_measures import OwnMeasures
from e2kd_lab.training.progress import ProgressBar
from e2kd_lab.training.recipe import Recipe
from e2kd_lab.training.trackers import TRACKERS, Tracker, register_tracker, tracker
from e2kd_lab.training.trainer import Trainer
from e2kd_lab.training.watchers import Watcher, Watchers

__all__ = [
    "TRACKERS",
    "Hardware",
    "LossTerms",
    "OwnMeasures",
    "ProgressBar",
    "Recipe",
    "Tracker",
    "Trainer",
    "Watcher",
    "Watchers",
    "loss_terms",
    "measures",
    "multilabel_measures",
    "multilabel_outcomes",
    "outcomes",
    "register_tracker",
    "tracker",
]
