"""What a training step computes, and the loop around it."""

from e2kd_lab.training.evaluation import measures, outcomes
from e2kd_lab.training.guidance import Guidance
from e2kd_lab.training.hardware import Hardware
from e2kd_lab.training.loss_terms import LossTerms, loss_terms
from e2kd_lab.training.method import METHODS, Method, needs_teacher, uses_lam, uses_tau
from e2kd_lab.training.multilabel_evaluation import multilabel_measures, multilabel_outcomes
from e2kd_lab.training.own_measures import OwnMeasures
from e2kd_lab.training.recipe import Recipe
from e2kd_lab.training.trainer import Trainer
from e2kd_lab.training.watcher import ProgressBar, Watcher
from e2kd_lab.training.watchers import Watchers

__all__ = [
    "METHODS",
    "Guidance",
    "Hardware",
    "LossTerms",
    "Method",
    "OwnMeasures",
    "ProgressBar",
    "Recipe",
    "Trainer",
    "Watcher",
    "Watchers",
    "loss_terms",
    "measures",
    "multilabel_measures",
    "multilabel_outcomes",
    "needs_teacher",
    "outcomes",
    "uses_lam",
    "uses_tau",
]
