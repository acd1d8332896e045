"""The experiments of Tables 1 to 3, 5 and B1: which networks, how long, in which sizes."""

from __future__ import annotations

from e2kd_lab.experiments.experiment import Family, Scale
from e2kd_lab.experiments.imagenet import ImageNetExperiment
from e2kd_lab.minidata.mininet import MiniNet
from e2kd_lab.minidata.miniscenes import MiniScenes
from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.training.recipe import BCOS_OPTIMISATION, TEACHER_SEED, Recipe


def build_standard(scale: Scale, family: Family) -> ImageNetExperiment:
    """Table 1: ResNet-34 to ResNet-18."""
    _only("imagenet_standard", family, "standard")
    return _build("imagenet_standard", scale, teacher="resnet34", student="resnet18")


def build_bcos(scale: Scale, family: Family) -> ImageNetExperiment:
    """Table 2: B-cos ResNet-34 to B-cos ResNet-18."""
    _only("imagenet_bcos", family, "bcos")
    return _build("imagenet_bcos", scale, teacher="bcos_resnet34", student="bcos_resnet18")


def build_bcos_densenet(scale: Scale, family: Family) -> ImageNetExperiment:
    """Table 3: B-cos DenseNet-169 to B-cos ResNet-18."""
    _only("imagenet_bcos_densenet", family, "bcos")
    return _build("imagenet_bcos_densenet", scale, teacher="bcos_densenet169", student="bcos_resnet18")


def build_frozen(scale: Scale, family: Family) -> ImageNetExperiment:
    """Table 3, lower half: B-cos DenseNet-169 to B-cos ResNet-18 with frozen logits and explanations."""
    _only("imagenet_frozen", family, "bcos")
    return _build("imagenet_frozen", scale, teacher="bcos_densenet169", student="bcos_resnet18").replace(frozen=True)


def build_data_free(scale: Scale, family: Family) -> ImageNetExperiment:
    """Table 5: a B-cos DenseNet-169 of ImageNet is distilled on SUN397's images, and the other way round."""
    _only("data_free", family, "bcos")
    base = _build("data_free", scale, teacher="bcos_densenet169", student="bcos_resnet18")
    changes = {"paper": {"epochs": 125, "batch_size": 128}, "lab": {"epochs": 5}}.get(scale, {})
    return base.replace(images="sun397", method="kd", **changes)


def build_prior_work(scale: Scale, family: Family) -> ImageNetExperiment:
    """Table B1: ResNet-34 to ResNet-18 by the recipe of prior work."""
    _only("prior_work", family, "standard")
    base = _build("prior_work", scale, teacher="resnet34", student="resnet18")
    recipe = {"optimizer": "sgd", "lr": 0.1, "clip_norm": None, "warmup_epochs": 0.0}
    epochs = 100 if scale == "paper" else base.epochs
    return base.replace(**recipe, epochs=epochs, step_epochs=0.3 * epochs)


def _only(name: str, family: Family, expected: Family) -> None:
    if family != expected:
        raise ExperimentError(f"Experiment '{name}' has {expected} networks; expected family '{expected}'.")


# What stands for the paper's networks in the lab: deeper teachers, smaller students.
_LAB_NETWORKS = {
    "resnet34": "resnet_mini_deep",
    "resnet18": "resnet_mini",
    "bcos_resnet34": "bcos_resnet_mini_deep",
    "bcos_densenet169": "bcos_densenet_mini_deep",
    "bcos_resnet18": "bcos_resnet_mini",
}


def _build(name: str, scale: Scale, *, teacher: str, student: str) -> ImageNetExperiment:
    family: Family = "bcos" if teacher.startswith("bcos") else "standard"
    optimisation = BCOS_OPTIMISATION if family == "bcos" else {}
    if scale == "paper":
        return ImageNetExperiment(
            name=name,
            scale=scale,
            family=family,
            teacher=teacher,
            student=student,
            num_classes=1000,
            teacher_weights="IMAGENET1K_V1" if family == "standard" else None,
            epochs=200,
            batch_size=256,
            held_out=50,
            image_size=224,
            resize=256,
            select="best",
            **optimisation,
        )
    small = scale == "smoke"
    dense = "densenet" in teacher  # slow on a CPU: fewer images in smaller batches
    if family == "bcos":
        optimisation = {**BCOS_OPTIMISATION, "lr": 3e-3}  # three times the paper's rate: a hundredth of its steps
    mininet = MiniNet(size=32, train=6, val=2) if small else MiniNet()
    miniscenes = MiniScenes(size=32, train=6, val=2) if small else MiniScenes()
    return ImageNetExperiment(
        name=name,
        scale=scale,
        family=family,
        teacher=_LAB_NETWORKS[teacher],
        student=_LAB_NETWORKS[student],
        num_classes=20,
        epochs=2 if small else 6,  # few shots take two fifths of these steps, as in the paper
        batch_size=16 if small else 32,
        warmup_epochs=1,
        teacher_recipe=Recipe(
            epochs=2 if small else 8 if dense else 12,
            batch_size=16 if small else 32 if dense else 64,
            warmup_epochs=1,
            validate_every=1 if small else 4,
            seed=TEACHER_SEED,
            **optimisation,
        ),
        held_out=2 if small else 25,
        validate_every=1 if small else 2,
        image_size=32 if small else 64,
        resize=32 if small else 64,
        crop_scale=(0.4, 1.0),
        select="best",
        mininet=mininet,
        miniscenes=miniscenes,
        **optimisation,
    )
