"""The networks of a studio, and what they make of pictures."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from e2kd_lab.experiments import Experiment
from e2kd_lab.explanations import Comparison, explanation_of
from e2kd_lab.explanations.explain import explain_in_parts
from e2kd_lab.figures.answers import Answers
from e2kd_lab.figures.style import METHOD_TITLES
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run
from e2kd_lab.widgets.cached_runs import CachedRuns
from e2kd_lab.widgets.run_list import RunList


class AskedNetworks:
    """Networks that were given, and those of the runs that are chosen in a list.

    Parameters
    ----------
    experiment : Experiment
        Says which classes there are.
    given : mapping
        Networks in evaluation mode by title.
    cached : CachedRuns
        Runs and their networks.
    compare : RunList
        The list; it offers the finished runs.
    """

    def __init__(
        self, experiment: Experiment, given: Mapping[str, ExplainableModel], cached: CachedRuns, compare: RunList
    ) -> None:
        self.experiment, self._given, self._cached, self._compare = experiment, given, cached, compare
        self._finished = cached.finished()
        compare.offer(self._finished)

    @property
    def models(self) -> dict[str, ExplainableModel]:
        """The networks to ask by title."""
        models = dict(self._given)
        for name in self._compare.value:
            models[self._compare.titles[name]] = self._cached.network(Run(self._cached.folder / name))
        return models

    @property
    def methods(self) -> dict[str, str]:
        """Method of each network by title, for its colour."""
        given = {title: "teacher" if title == METHOD_TITLES["teacher"] else title for title in self._given}
        return given | {self._compare.titles[name]: self._finished[name]["method"] for name in self._compare.value}

    def prediction(self, image: Tensor) -> int:
        """What the first network predicts for an image (3, H, W) in [0, 1]."""
        first = next(iter(self.models.values()))
        with torch.inference_mode():
            return int(first(first.preprocess(image[None])).argmax(1))

    def answers(self, images: Tensor, explained: int) -> Answers:
        """Explanations of a class and probabilities of all networks for images (N, 3, H, W) in [0, 1]."""
        classes, probabilities = torch.full((len(images),), explained), {}
        kinds: dict[tuple[str, str], dict[str, Tensor]] = {}
        for name, model in self.models.items():
            explanation = explain_in_parts(model, images, classes)
            logits = explanation.logits
            probabilities[name] = logits.sigmoid() if self.experiment.multilabel else logits.softmax(1)
            kinds.setdefault((explanation_of(model).name, model.family), {})[name] = explanation.maps
        title = f"the class {self.experiment.classes()[explained].replace('_', ' ')}"
        comparisons = [
            Comparison(images, own, {}, title, explanation=explanation, family=family)
            for (explanation, family), own in kinds.items()
        ]
        return Answers(comparisons, probabilities, self.methods, self.experiment.classes(), explained)
