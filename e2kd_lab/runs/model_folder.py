"""A run's network as a folder in the layout of Hugging Face: weights, configuration and model card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from e2kd_lab.models import ExplainableModel
from e2kd_lab.models.exported import CONFIG, KEY
from e2kd_lab.runs.run_folder import Run
from e2kd_lab.system.atomic_write import write_bytes, write_json, write_text

WEIGHTS, CARD, PICTURE = "model.safetensors", "README.md", "explanations.png"
_TRAINING = ("data", "teacher", "method", "lam", "tau", "epochs", "seed")


def export_folder(run: Run, to: Path | str, picture: bytes | None = None) -> Path:
    """Write a finished run's network as ``model.safetensors``, ``config.json`` and a model card, ``README.md``.

    `e2kd_lab.build_model` loads the folder by its path; networks of timm are also loaded by
    ``timm.create_model("local-dir:FOLDER", pretrained=True)``. A model card that is there already is kept.

    Parameters
    ----------
    run : Run
        A finished run.
    to : Path or str
        The folder, which is made if it is missing.
    picture : bytes, optional
        A PNG of explanations for the card.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    RunError
        If the run is not done, or the folder cannot be written to.

    Examples
    --------
    >>> export_folder(run, "student")  # doctest: +SKIP
    >>> lab.build_model("student")  # doctest: +SKIP
    """
    folder = Path(to)
    run.export(folder / WEIGHTS)
    config = run.config
    about = {
        "network": config["network"],
        "num_classes": config["num_classes"],
        "image_size": config.get("image_size"),
        "explanation": config.get("explanation"),
        "run": run.folder.name,
    }
    write_json(folder / CONFIG, {KEY: about, **_for_timm(config, run.load_model())})
    if picture is not None:
        write_bytes(folder / PICTURE, picture)
    if not (folder / CARD).exists():
        write_text(folder / CARD, model_card(run, picture=picture is not None))
    return folder


def model_card(run: Run, *, picture: bool = False) -> str:
    """A model card in Markdown: data, method, measures and how to load the network; the licence is left to fill in."""
    config, name = run.config, run.config["network"]
    library, _, own = name.partition("/")
    tags = ["image-classification", "knowledge-distillation", *([library] if own else [])]
    loading = ["import e2kd_lab as lab", "", 'network = lab.build_model("FOLDER").eval()']
    if library == "timm" and own:
        loading += ["", "import timm", "", 'network = timm.create_model("local-dir:FOLDER", pretrained=True)']
    if library == "torchvision" and own:
        loading += ["", "import torchvision", "from safetensors.torch import load_file", ""]
        loading += [f'network = torchvision.models.get_model("{own}", num_classes={config["num_classes"]})']
        loading += [f'network.load_state_dict(load_file("FOLDER/{WEIGHTS}"))']
    training = {key: config[key] for key in _TRAINING if key in config}
    test = run.results().query("split == 'test'")
    measures = [f"| {row.group} | {row.metric} | {row.value:.4g} |" for row in test.itertuples()]
    lines = [
        "---",
        "license: other  # to fill in",
        "tags:",
        *(f"- {tag}" for tag in tags),
        "---",
        "",
        f"# {run.folder.name}",
        "",
        f"`{name}` with {config['num_classes']} classes, trained by e2KD Lab in the experiment `{config['name']}`, "
        f"scale `{config['scale']}`. Images are RGB in [0, 1], {_size(config.get('image_size'))} px; "
        "`network.preprocess` normalises them.",
        "",
        "## Training",
        "",
        *(f"- {key}: `{value}`" for key, value in training.items()),
        "",
        "The complete configuration is in the metadata of `model.safetensors`.",
        "",
        "## Test",
        "",
        "| images | measure | value |",
        "|---|---|---|",
        *measures,
        "",
        *([f"![Explanations of test images]({PICTURE})", ""] if picture else []),
        "## Loading",
        "",
        "```python",
        *loading,
        "```",
        "",
        "To publish the folder: `hf upload NAME FOLDER`, once the licence is filled in above.",
        "",
    ]
    return "\n".join(lines)


def _for_timm(config: dict[str, Any], model: ExplainableModel) -> dict[str, Any]:
    """What timm reads of a configuration; nothing for other networks."""
    library, _, own = config["network"].partition("/")
    if library != "timm":
        return {}
    size = config.get("image_size")
    height, width = size if isinstance(size, list) else (size, size)
    pretrained = {"num_classes": config["num_classes"]} | ({} if size is None else {"input_size": [3, height, width]})
    for field in ("mean", "std"):
        values = getattr(model.preprocess, field, None)
        if isinstance(values, torch.Tensor):
            pretrained[field] = [round(value, 6) for value in values.flatten().tolist()]
    return {"architecture": own, "num_classes": config["num_classes"], "pretrained_cfg": pretrained}


def _size(size: Any) -> str:
    return " x ".join(map(str, size)) if isinstance(size, list) else f"{size} x {size}"
