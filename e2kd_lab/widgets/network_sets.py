"""Sets of networks to choose from in a panel: an experiment and finished runs of its students, by title."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from e2kd_lab.experiments import Experiment
from e2kd_lab.figures.style import FAMILY_TITLES
from e2kd_lab.runs import Run
from e2kd_lab.system.errors import ExperimentError

Sets = Mapping[str, tuple[Experiment, Sequence[Run]]]


def sets_of(experiments: Experiment | Sequence[Experiment] | Sets, runs: Sequence[Run]) -> Sets:
    """Experiment and runs by title: as given in a mapping, or by family of networks.

    Raises
    ------
    ExperimentError
        If an experiment has no runs or two of one method, two experiments have the same family, or their classes
        differ.
    """
    if isinstance(experiments, Mapping):
        if runs:
            raise ExperimentError("Runs were given beside a mapping of experiments; expected them in its pairs.")
        sets: Sets = dict(experiments)
    else:
        listed = [experiments] if isinstance(experiments, Experiment) else list(experiments)
        families = [experiment.family for experiment in listed]
        if len(set(families)) < len(families):
            raise ExperimentError(
                f"The experiments' families of networks are {', '.join(families)}; expected one experiment of each, "
                "or a mapping of titles to experiments and runs."
            )
        own = {family: [run for run in runs if run.config["family"] == family] for family in families}
        sets = {FAMILY_TITLES[one.family].removesuffix(" networks"): (one, own[one.family]) for one in listed}
    _check_sets(sets)
    return sets


def _check_sets(sets: Sets) -> None:
    """Refuse sets without runs, with two runs of a method, or with different classes."""
    if not sets:
        raise ExperimentError("No experiment was given to look at; expected at least one.")
    for title, (experiment, runs) in sets.items():
        if not runs:
            raise ExperimentError(f"'{title}' has no runs of students of '{experiment.name}'; expected at least one.")
        methods = [run.config["method"] for run in runs]
        # Columns are named after methods: of two runs of a method, one would be lost.
        if len(set(methods)) < len(methods):
            raise ExperimentError(
                f"The runs of '{title}' are of the methods {', '.join(methods)}; expected one run of each, or a "
                "mapping with a title for each choice."
            )
    kinds = {title: (one.multilabel, one.classes()) for title, (one, _) in sets.items()}
    if len(set(kinds.values())) > 1:
        raise ExperimentError(
            f"The experiments of {', '.join(sets)} have different classes; expected the same ones in each."
        )
