"""A report of finished runs as one web page: table, curves and explanations, with filters and sliders; no kernel."""

from __future__ import annotations

import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from e2kd_lab.experiments import Experiment
from e2kd_lab.explanations import Comparison
from e2kd_lab.figures import figure_options, training_curves
from e2kd_lab.figures.comparison_table import comparison_table
from e2kd_lab.figures.export import screen_png
from e2kd_lab.figures.labels import counted, in_order, run_label, title_of, where_measured
from e2kd_lab.figures.map_pictures import pictures_of
from e2kd_lab.figures.web_page import asset, data_url, page, sortable, themed_picture
from e2kd_lab.metrics.titles import measure_title
from e2kd_lab.runs import Run, results_of
from e2kd_lab.runs.evaluate import load_teacher
from e2kd_lab.runs.examples import examples_of
from e2kd_lab.runs.image_selection import ORDERS, RELATIONS
from e2kd_lab.system.atomic_write import write_text
from e2kd_lab.system.errors import RunError

_OWN_MEASURES = ("accuracy", "agreement", "explanation_cosine", "f1", "epg", "iou")


def write_report(
    sets: Mapping[str, tuple[Experiment, Sequence[Run]]],
    path: Path | str,
    *,
    images: int = 24,
    folder: Path | str | None = None,
    title: str = "Report",
) -> Path:
    """Write a report that opens in any browser, without a network.

    Parameters
    ----------
    sets : mapping
        Experiment and finished runs of its students, by title; one for each experiment, setting and family.
    path : Path or str
        The HTML file.
    images : int
        Test images in each gallery, spread over groups or classes.
    folder : Path or str, optional
        Folder of the teachers' runs.
    title : str
        Title of the page.

    Raises
    ------
    RunError
        If there are no runs, or a teacher's run is not done.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> birds = lab.experiments.get("waterbirds")
    >>> runs = [lab.run(birds.replace(method=method)) for method in ("kd", "e2kd")]  # doctest: +SKIP
    >>> write_report({"Waterbirds": (birds, runs)}, "report.html")  # doctest: +SKIP
    """
    students = {
        name: (experiment, _in_order([run for run in runs if run.config["method"] != "teacher"]))
        for name, (experiment, runs) in sets.items()
    }
    students = {name: (experiment, runs) for name, (experiment, runs) in students.items() if runs}
    if not students:
        raise RunError("There are no finished runs of students to report; train some first.")
    parts, data = [], []
    for number, (name, (experiment, runs)) in enumerate(students.items()):
        own = _set(experiment, runs, images, folder)
        data.append(own)
        parts.append(_part(number, name, own, sortable(_table(runs))))
    everything = results_of([run for _, runs in students.values() for run in runs])
    count = counted(everything["run"].nunique(), "run")
    head = f"<p>{count}, {html.escape(where_measured(everything))}. Written by e2KD Lab.</p>"
    text = page(title, head + "\n".join(parts), scripts=[asset("report.js", "e2kd_lab.paper")], data={"sets": data})
    write_text(Path(path), text)
    return Path(path)


def _in_order(runs: Sequence[Run]) -> list[Run]:
    """Runs by method, hyper-parameters and seed."""
    methods = in_order("method", {run.config["method"] for run in runs})

    def place(run: Run) -> tuple[Any, ...]:
        config = run.config
        values = [float(config.get(name, 0)) for name in ("tau", "lam", "seed")]
        return methods.index(config["method"]), *values, run.folder.name

    return sorted(runs, key=place)


def _table(runs: Sequence[Run]) -> pd.DataFrame:
    """Means over seeds of each configuration on the test split, a row each."""
    results = results_of(runs)
    test = results[(results["split"] == "test") & results["metric"].isin(_OWN_MEASURES)]
    biased = test["group"].isin(["in_distribution", "out_of_distribution"])
    shown = test[biased if biased.any() else test["group"] == "all"]
    by_name = {run.folder.name: run for run in runs}
    rows = []
    for _, own in shown.groupby(shown["run"].map(_configuration), sort=False):
        first = own.iloc[0]
        row: dict[str, Any] = {"Method": run_label(first["method"], _hyperparameters(by_name[first["run"]]))}
        row["Seeds"] = own["seed"].nunique()
        for (metric, group), values in own.groupby(["metric", "group"], sort=False):
            heading = measure_title(str(metric)).with_unit
            heading = heading if group == "all" else f"{heading}, {title_of('group', group).lower()}"
            row[heading] = float(values["value"].mean())
        rows.append(row)
    return pd.DataFrame(rows)


def _configuration(run: str) -> str:
    """A run's name without its seed."""
    return run.rsplit("-s", 1)[0]


def _hyperparameters(run: Run) -> dict[str, Any]:
    config = run.config
    return {name: config[name] for name in ("lam", "tau") if name in config} | config.get("options", {})


def _set(experiment: Experiment, runs: Sequence[Run], count: int, folder: Path | str | None) -> dict[str, Any]:
    """Images with the teacher's maps, and each run with its own: what the page's script needs."""
    examples = examples_of(experiment, count)
    teacher = load_teacher(experiment, folder=folder)
    networks = {"teacher": teacher, **{run.folder.name: experiment.with_explanation(run.load_model()) for run in runs}}
    comparison = examples.explained_by(networks)
    pictures = {name: _encoded(maps) for name, maps in pictures_of(comparison, experiment.multilabel).pictures.items()}
    said = _said(comparison, experiment)
    images = _encoded(comparison.images.permute(0, 2, 3, 1).clamp(0, 1).cpu().numpy())
    listed = [
        {"image": image, "group": comparison.titles[place], "teacher": {**said["teacher"][place], "map": own}}
        for place, (image, own) in enumerate(zip(images, pictures["teacher"], strict=True))
    ]
    told = []
    for run in runs:
        config, name = run.config, run.folder.name
        label = run_label(config["method"], _hyperparameters(run))
        told.append(
            {
                "method": config["method"],
                "name": title_of("method", config["method"]),
                "title": f"{label}, seed {config['seed']}",
                **{key: config.get(key, 0) for key in ("lam", "tau", "seed")},
                "curves": _on_both_grounds(training_curves({label: (config["method"], run.metrics())})),
                "said": [{**one, "map": own} for one, own in zip(said[name], pictures[name], strict=True)],
            }
        )
    return {"runs": told, "examples": listed, "explanation": comparison.method.title, "explained": comparison.explained}


def _said(comparison: Comparison, experiment: Experiment) -> dict[str, list[dict[str, Any]]]:
    """Prediction, whether it is correct, and cosine to the teacher's map of each image, by network."""
    classes = [name.replace("_", " ") for name in experiment.classes()]
    table = comparison_table(comparison, classes=classes)
    said: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_dict("records"):
        prediction = row["prediction"] or ("found" if row["correct"] else "not found")
        one = {"prediction": prediction, "correct": bool(row["correct"]), "cosine": row["cosine_to_teacher"]}
        said.setdefault(str(row["network"]), []).append(one)
    return said


def _encoded(pictures: np.ndarray) -> list[str]:
    """Pictures (N, H, W, 3) in [0, 1] as addresses."""
    addresses = []
    for picture in pictures:
        buffer = io.BytesIO()
        Image.fromarray((255 * picture + 0.5).astype(np.uint8)).save(buffer, "WEBP", quality=90, method=4)
        addresses.append(data_url(buffer.getvalue(), "image/webp"))
    return addresses


def _on_both_grounds(figure: Figure) -> dict[str, str]:
    """Addresses of a figure's picture on a light and on a dark page."""
    pictures = {}
    for theme in ("light", "dark"):
        with figure_options(theme=theme):
            pictures[theme] = data_url(screen_png(figure))
    return pictures


def _part(number: int, name: str, own: Mapping[str, Any], table: str) -> str:
    """HTML of an experiment's part; the script fills gallery and curves."""
    methods = list(dict.fromkeys((run["method"], run["name"]) for run in own["runs"]))
    groups = list(dict.fromkeys(example["group"] for example in own["examples"]))
    choices = [
        _list("Method", "method", dict(methods)),
        _slider("λ", "lam"),
        _slider("τ", "tau"),
        _slider("Seed", "seed"),
        _list(
            "Beside", "beside", {"": "nothing", **{str(place): run["title"] for place, run in enumerate(own["runs"])}}
        ),
        _list("Images", "group", {"all": "all", **{group: group for group in groups}}),
        _list("Show", "relation", {relation: relation for relation in RELATIONS}),
        _list("Order", "order", {order: order for order in ORDERS}),
    ]
    return f"""
<section id="set-{number}">
<h2>{html.escape(name)}</h2>
{table}
<div class="controls">{" ".join(choices)}</div>
<p><b data-is="run"></b> <span class="faint" data-is="count"></span></p>
<figure>{themed_picture("", "", "Training curves of the chosen run")}</figure>
<p class="faint">{html.escape(own["explanation"])} of {html.escape(own["explained"])}, divided by its L2 norm. All maps
of the page's part share one colour scale.</p>
<div class="gallery" data-is="gallery"></div>
</section>"""


def _list(title: str, name: str, options: Mapping[str, str]) -> str:
    entries = "".join(
        f'<option value="{html.escape(value, quote=True)}">{html.escape(text)}</option>'
        for value, text in options.items()
    )
    return f'<label>{html.escape(title)} <select data-is="{name}">{entries}</select></label>'


def _slider(title: str, name: str) -> str:
    shown = f'<output data-is="{name}-shown"></output>'
    slider = f'<input type="range" min="0" max="0" step="1" value="0" data-is="{name}">'
    return f"<label>{html.escape(title)} {slider} {shown}</label>"
