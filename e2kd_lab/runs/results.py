"""The results of many runs as one table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from e2kd_lab.runs.run_folder import CONFIG, Run
from e2kd_lab.system.errors import RunError, note
from e2kd_lab.system.paths import is_file, readable
from e2kd_lab.system.workspace import runs_folder
from e2kd_lab.training.trainer import METRICS, SELECTED_BY

# Columns of `load_runs` that come from the configuration.
_CONFIG_COLUMNS = ["experiment", "scale", "family", "setting", "method", "lam", "tau", "seed"]
RESULT_COLUMNS = ["run", "status", *_CONFIG_COLUMNS, "teacher", "step", "epoch", "split", "group", "metric", "value"]


def find_runs(folder: Path | str | None = None) -> list[Run]:
    """The runs in a folder, sorted by name.

    Parameters
    ----------
    folder : Path or str, optional
        The folder of runs; the workspace's by default.

    Raises
    ------
    RunError
        If the folder cannot be read, or is an archive. A run in it that this process may not read is left out, and a
        `LabNote` says so.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> [run.status for run in lab.runs.find_runs()]  # doctest: +SKIP
    """
    folder = runs_folder() if folder is None else Path(folder)
    if is_file(folder):
        raise RunError(f"{folder} is a file; expected a folder of runs: unpack an archive first, and give its folder.")
    with readable(folder, RunError):
        return [Run(path) for path in sorted(folder.glob("*")) if _is_run(path)]


def load_runs(folder: Path | str | None = None) -> pd.DataFrame:
    """Results of all runs in a folder as one long table.

    Parameters
    ----------
    folder : Path or str, optional
        The folder of runs; the workspace's by default.

    Returns
    -------
    DataFrame
        One row a run, split (``val``, ``test``), group and metric, with the columns ``run``, ``status``,
        ``experiment``, ``scale``, ``family``, ``setting``, ``method``, ``lam``, ``tau``, ``seed``, ``teacher`` (its
        run, or the fingerprint of its weights; empty for teachers), ``step``, ``epoch``, ``split``, ``group``,
        ``metric``, ``value``, and one for each further hyper-parameter. Accuracy, agreement and
        dead-map rate are in percent, cosines in [-1, 1]. Runs without measures are left out.

    Raises
    ------
    RunError
        If a run's files are damaged.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> lab.load_runs().query("split == 'test' and metric == 'agreement'")  # doctest: +SKIP
    """
    return _results(find_runs(folder))


def results_of(runs: Iterable[Run]) -> pd.DataFrame:
    """Results of these runs as one long table, with the columns of `load_runs`.

    Parameters
    ----------
    runs : iterable of Run
        The runs; one that is given twice counts once.

    Returns
    -------
    DataFrame
        See `load_runs`.

    Raises
    ------
    RunError
        If a run's files are damaged.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> experiment = lab.experiments.get("waterbirds", "smoke")
    >>> lab.results_of(lab.run_all(experiment.grid("e2kd")))  # doctest: +SKIP
    """
    return _results({run.folder: run for run in runs}.values())


def configurations_of(results: pd.DataFrame) -> pd.Series:
    """The configuration of each row: its run's name without the seed.

    Parameters
    ----------
    results : DataFrame
        Rows of `load_runs`.

    Examples
    --------
    >>> import pandas as pd
    >>> configurations_of(pd.DataFrame({"run": ["waterbirds-lab-kd-0123abcd-s4"]}))[0]
    'waterbirds-lab-kd-0123abcd'
    """
    return results["run"].str.replace(r"-s\d+$", "", regex=True)


def select_by_validation(results: pd.DataFrame) -> pd.DataFrame:
    """Keep the configuration with the best validation accuracy or F1 of each family, setting and method (C.1.2).

    Runs of one configuration differ in their seed only: they share hyper-parameters, recipe, data and teacher, and so
    the hash in their names.

    Parameters
    ----------
    results : DataFrame
        Rows of `load_runs`; each experiment and scale is selected on its own.

    Returns
    -------
    DataFrame
        The rows of the selected runs (all seeds), and of teachers unless all their students were dropped; ``tried`` is
        the number of configurations to choose from, 1 for teachers. Accuracy over all validation images is averaged
        over seeds; ties go to the configuration with more seeds, then the smaller tau, then the smaller lam.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> lab.runs.select_by_validation(lab.load_runs())  # doctest: +SKIP
    """
    keys = ["experiment", "scale", "family", "setting", "method"]
    done = results[results["status"] == "done"]
    done = done.assign(configuration=configurations_of(done))
    taught = done["method"] != "teacher"
    measured = done[taught & (done["split"] == "val") & (done["group"] == "all") & done["metric"].isin(SELECTED_BY)]
    tried = measured.groupby([*keys, "configuration", "tau", "lam"], as_index=False).agg(
        value=("value", "mean"), seeds=("seed", "nunique")
    )
    tried["value"] = tried["value"].round(9)  # equal seeds have equal means, but for the last digit
    tried["tried"] = tried.groupby(keys)["configuration"].transform("nunique")
    order = {"value": False, "seeds": False, "tau": True, "lam": True, "configuration": True}
    best = tried.sort_values(list(order), ascending=list(order.values())).drop_duplicates(keys)
    chosen = taught & done["configuration"].isin(best["configuration"])
    others = set(done.loc[taught, "teacher"]) - set(done.loc[chosen, "teacher"])
    kept = done[chosen | (~taught & ~done["run"].isin(others))]
    known = best.set_index("configuration")["tried"]
    kept = kept.assign(tried=kept["configuration"].map(known).fillna(1).astype(int))
    return kept.drop(columns="configuration").reset_index(drop=True)


def _is_run(folder: Path) -> bool:
    try:
        return (folder / CONFIG).is_file()
    except OSError as error:
        note(f"{folder} cannot be read, and is left out: {error.strerror or error}.")
        return False


def _results(runs: Iterable[Run]) -> pd.DataFrame:
    tables = []
    for run in runs:
        if is_file(run.folder / METRICS):
            config = run.config
            columns = {"experiment": config["name"], **{name: config[name] for name in _CONFIG_COLUMNS[1:]}}
            columns["teacher"] = config.get("teacher", "").removeprefix("run:")
            rows = run.results().assign(run=run.folder.name, status=run.status, **columns)[RESULT_COLUMNS]
            tables.append(rows.assign(**config.get("options", {})))
    tables = [table for table in tables if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=RESULT_COLUMNS)
