"""Few shots on ImageNet (Tables 1 to 3, B1), and distillation without the teacher's data (Table 5; Sec. 4.1).

At paper scale a student of the full data needs days on one data-centre GPU, one of 50 or 200 shots about two fifths of
that. At lab scale small networks learn from MiniNet (drawn objects) and MiniScenes (drawn scenes) at 64 px, a student
in half a minute to three minutes on two CPU cores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from e2kd_lab.experiments import bcosified
from e2kd_lab.experiments.data import Scale
from e2kd_lab.experiments.experiment import Experiment
from e2kd_lab.experiments.imagenet import ImageNetData
from e2kd_lab.experiments.networks import Family, Networks
from e2kd_lab.experiments.plan import Plan
from e2kd_lab.minidata.mininet import MiniNet
from e2kd_lab.minidata.miniscenes import MiniScenes
from e2kd_lab.training.recipe import BCOS_OPTIMISATION, TEACHER_SEED, Recipe

# Columns of Tables 1 to 3, besides "base", which is all of the data; the numbers of steps are the same in both (C.1.1).
SHOTS: Mapping[Scale, Mapping[str, Mapping[str, Any]]] = {
    "paper": {
        "50-shots": {"shots": 50, "batch_size": 32, "epochs": 250},
        "200-shots": {"shots": 200, "batch_size": 64, "epochs": 125},
    },
    "lab": {
        "10-shots": {"shots": 10, "epochs": 50, "validate_every": 10},
        "40-shots": {"shots": 40, "epochs": 12, "validate_every": 3},
    },
    "smoke": {"2-shots": {"shots": 2, "batch_size": 8, "epochs": 2}},
}

# Table 5's other direction; its number of steps is that of the first one (C.1.1).
REVERSED = "reversed"
_REVERSED: Mapping[Scale, Mapping[str, Any]] = {
    "paper": {"num_classes": 397, "epochs": 21, "batch_size": 256, "held_out": 5},  # of 50 training images a class
    "lab": {"num_classes": 10, "epochs": 3},
    "smoke": {"num_classes": 10},
}

Grids = Mapping[str, list[dict[str, float]]]
_TAUS = (1.0, 5.0)


def _grid(lams: tuple[float, ...], attention: tuple[float, ...]) -> Grids:
    """Sec. C.1.1: tau in {1, 5} and a few weights."""
    return {
        "baseline": [{}],
        "kd": [{"tau": tau} for tau in _TAUS],
        "e2kd": [{"tau": tau, "lam": lam} for tau in _TAUS for lam in lams],
        "at": [{"lam": lam} for lam in attention],
        "reviewkd": [{"lam": lam} for lam in (1.0, 5.0)],
        "catkd": [{"lam": lam} for lam in (1.0, 5.0, 10.0)],
        "kd_labels": [{"tau": tau} for tau in _TAUS],
    }


GRIDS: Mapping[str, Grids] = {
    "resnet": _grid((1.0, 5.0, 10.0), (10.0, 100.0, 1000.0, 10000.0)),
    "bcos_resnet": _grid((1.0, 5.0), (1.0, 10.0, 100.0, 1000.0)),
    "bcos_densenet": _grid((1.0, 5.0, 10.0), (1.0, 10.0, 100.0, 1000.0)),
}


def build_standard(scale: Scale) -> Experiment:
    """Table 1: ResNet-34 to ResNet-18."""
    return _build("imagenet_standard", scale, "resnet34", "resnet18", _few_shots(scale, GRIDS["resnet"]))


def build_bcos(scale: Scale) -> Experiment:
    """Table 2: B-cos ResNet-34 to B-cos ResNet-18."""
    plan = _few_shots(scale, GRIDS["bcos_resnet"])
    teacher = bcosified.with_bcosified_teacher(build_standard(scale))
    fewest = next(iter(SHOTS[scale].values()))
    settings = {**plan.settings, bcosified.SETTING: lambda experiment: {**fewest, **teacher(experiment)}}
    titles = {**plan.titles, bcosified.SETTING: f"{bcosified.TITLE}, few shots"}
    plan = replace(plan, settings=settings, titles=titles, beyond=(bcosified.SETTING,))
    return _build("imagenet_bcos", scale, "bcos_resnet34", "bcos_resnet18", plan)


def build_bcos_densenet(scale: Scale) -> Experiment:
    """Table 3: B-cos DenseNet-169 to B-cos ResNet-18."""
    plan = _few_shots(scale, GRIDS["bcos_densenet"])
    title = "ImageNet, DenseNet teacher"
    return _build("imagenet_bcos_densenet", scale, "bcos_densenet169", "bcos_resnet18", plan, title=title)


def build_frozen(scale: Scale) -> Experiment:
    """Table 3, lower half: B-cos DenseNet-169 to B-cos ResNet-18 with frozen logits and explanations."""
    # Sec. C.1.1: one weight more.
    tries = [{"tau": tau, "lam": lam} for tau in _TAUS for lam in (0.2, 1.0, 5.0, 10.0)]
    plan = _few_shots(scale, {"kd": GRIDS["bcos_densenet"]["kd"], "e2kd": tries})
    title = "ImageNet, frozen teacher"
    base = _build("imagenet_frozen", scale, "bcos_densenet169", "bcos_resnet18", plan, title=title)
    return base.replace(frozen=True)


def build_data_free(scale: Scale) -> Experiment:
    """Table 5: ImageNet's classes are taught with SUN397's images.

    Or the other way round in the setting ``reversed``; ``data_root`` then is SUN397's folder.
    """
    grids = {method: GRIDS["bcos_densenet"][method] for method in ("baseline", "kd", "e2kd")}
    swapped = {"own": "sun397", "images": "imagenet", **_REVERSED[scale]}
    titles = {"base": "SUN → ImageNet", REVERSED: "ImageNet → SUN"}
    plan = Plan({"base": {}, REVERSED: swapped}, grids, titles)
    title = "Without the teacher's data"
    base = _build("data_free", scale, "bcos_densenet169", "bcos_resnet18", plan, title=title)
    changes = {"paper": {"epochs": 125, "batch_size": 128}, "lab": {"epochs": 5}}.get(scale, {})
    return base.replace(images="sun397", method="kd", **changes)


def build_prior_work(scale: Scale) -> Experiment:
    """Table B1: ResNet-34 to ResNet-18 by the recipe of prior work, with the weights of the original works (B.1)."""
    plan = Plan(grids={**GRIDS["resnet"], "at": [{"lam": 1000.0}], "reviewkd": [{"lam": 1.0}]})
    base = _build("prior_work", scale, "resnet34", "resnet18", plan, title="ImageNet, recipe of prior work")
    epochs = 100 if scale == "paper" else base.epochs
    recipe = {"optimizer": "sgd", "lr": 0.1, "clip_norm": None, "warmup_epochs": 0.0}
    return base.replace(**recipe, epochs=epochs, step_epochs=0.3 * epochs)


def _few_shots(scale: Scale, grids: Grids) -> Plan:
    """Few shots, and ``base`` for all of the data."""
    return Plan({**SHOTS[scale], "base": {}}, grids, {"base": "all images"})


# What stands for the paper's networks in the lab: deeper teachers, smaller students.
_LAB_NETWORKS = {
    "resnet34": "resnet_mini_deep",
    "resnet18": "resnet_mini",
    "bcos_resnet34": "bcos_resnet_mini_deep",
    "bcos_densenet169": "bcos_densenet_mini_deep",
    "bcos_resnet18": "bcos_resnet_mini",
}


def _build(name: str, scale: Scale, teacher: str, student: str, plan: Plan, *, title: str = "ImageNet") -> Experiment:
    family: Family = "bcos" if teacher.startswith("bcos") else "standard"
    optimisation = BCOS_OPTIMISATION if family == "bcos" else {}
    if scale == "paper":
        classes, weights = 1000, "IMAGENET1K_V1" if family == "standard" else None
        recipe, teacher_recipe = Recipe(epochs=200, batch_size=256, **optimisation), None
        data = ImageNetData(scale=scale, image_size=224, resize=256, held_out=50)
    else:
        teacher, student, classes, weights = _LAB_NETWORKS[teacher], _LAB_NETWORKS[student], 20, None
        dense = "densenet" in teacher  # slow on a CPU: fewer images in smaller batches
        if family == "bcos":
            optimisation = {**BCOS_OPTIMISATION, "lr": 3e-3}  # three times the paper's rate: a hundredth of its steps
        # Few shots take two fifths of these steps, as in the paper.
        recipe = Recipe(epochs=6, batch_size=32, warmup_epochs=1, validate_every=2, **optimisation)
        teacher_recipe = replace(
            recipe, epochs=8 if dense else 12, batch_size=32 if dense else 64, validate_every=4, seed=TEACHER_SEED
        )
        data = ImageNetData(
            scale=scale,
            image_size=64,
            resize=64,
            crop_scale=(0.4, 1.0),
            held_out=25,
            mininet=MiniNet(),
            miniscenes=MiniScenes(),
        )
    if scale == "smoke":
        recipe = replace(recipe, epochs=2, batch_size=16, validate_every=1)
        teacher_recipe = replace(recipe, seed=TEACHER_SEED)
        mininet, miniscenes = MiniNet(size=32, train=6, val=2), MiniScenes(size=32, train=6, val=2)
        data = replace(data, image_size=32, resize=32, held_out=2, mininet=mininet, miniscenes=miniscenes)
    return Experiment(
        name=name,
        display_name=title,
        select="best",
        recipe=recipe,
        teacher_recipe=teacher_recipe,
        data=data,
        networks=Networks(
            family=family, teacher=teacher, student=student, num_classes=classes, teacher_weights=weights
        ),
        plan=plan,
    )
