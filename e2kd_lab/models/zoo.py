"""Networks of other libraries by name: ``timm/resnet50``, ``torchvision/convnext_tiny``, ``transformers/vit``.

The libraries are imported when they are asked for. Weights are random unless `e2kd_lab.build_model` is given some.
"""

from __future__ import annotations

import difflib
import importlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from e2kd_lab.models.adapt import adapt
from e2kd_lab.models.network_inputs import processor_in
from e2kd_lab.models.preprocess import IMAGENET_MEAN, IMAGENET_STD
from e2kd_lab.models.registry import register_zoo
from e2kd_lab.system.errors import ExperimentError, LabNote, shown

_INSTALL = 'pip install "e2kd-lab[zoo]"'


def library(name: str) -> Any:
    """Import a library.

    Raises
    ------
    ExperimentError
        If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ExperimentError(
            f"Networks of {name} need that library, which cannot be imported ({error}); expected {_INSTALL}."
        ) from error


@register_zoo("timm")
class Timm:
    """Classifiers of timm, by its names; options are those of ``timm.create_model``."""

    def names(self) -> Sequence[str]:
        """All names, without pretrained tags."""
        return library("timm").list_models()

    def exists(self, name: str) -> bool:
        """Whether timm has this network; a name with a pretrained tag counts, its weights are not fetched."""
        return library("timm").is_model(name)

    def build(
        self, name: str, num_classes: int, image_size: int | tuple[int, int] | None = None, **options: Any
    ) -> nn.Module:
        """Build a network with random weights, for images of this size if it takes a fixed size."""
        timm = library("timm")
        config = timm.models.get_pretrained_cfg(name, allow_unregistered=True)
        if image_size is not None and config is not None and config.fixed_input_size:
            options.setdefault("img_size", image_size)
        return timm.create_model(name, pretrained=False, num_classes=num_classes, **options)


@register_zoo("torchvision")
class Torchvision:
    """Classifiers of torchvision, by its names; options are those of its functions."""

    def names(self) -> Sequence[str]:
        """All names."""
        from torchvision import models

        return models.list_models(module=models)

    def exists(self, name: str) -> bool:
        """Whether torchvision has such a network."""
        return name in self.names()

    def build(
        self, name: str, num_classes: int, image_size: int | tuple[int, int] | None = None, **options: Any
    ) -> nn.Module:
        """Build a network with random weights, for images of this size if it takes a fixed size."""
        from torchvision import models

        options = {"weights": None, "num_classes": num_classes, **options}
        sizes = {} if image_size is None else {"image_size": image_size, "input_size": (image_size, image_size)}
        for argument, size in sizes.items():
            try:
                return models.get_model(name, **{argument: size, **options})
            except TypeError as error:
                if f"'{argument}'" not in str(error):
                    raise
        return models.get_model(name, **options)


@register_zoo("transformers")
class Transformers:
    """Image classifiers of transformers: the default configuration of a kind, such as ``resnet``, or a local folder.

    Options are fields of the configuration, for instance ``num_hidden_layers``.
    """

    def names(self) -> Sequence[str]:
        """The kinds."""
        library("transformers")
        return list(library("transformers.models.auto.modeling_auto").MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES)

    def exists(self, name: str) -> bool:
        """Whether there is such a kind, or a folder with a configuration."""
        return (Path(name) / "config.json").is_file() or name in self.names()

    def build(
        self, name: str, num_classes: int, image_size: int | tuple[int, int] | None = None, **options: Any
    ) -> nn.Module:
        """Build a network with random weights, or with those of a local folder."""
        transformers = library("transformers")
        folder = Path(name)
        if (folder / "config.json").is_file():
            config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        else:
            config = transformers.AutoConfig.for_model(name)
        self._set(config, name, {"num_labels": num_classes, **options})
        if image_size is not None and isinstance(getattr(config, "image_size", None), int):
            config.image_size = options.get("image_size", image_size)
        network = self._network(transformers, config, folder if (folder / "config.json").is_file() else None)
        values = processor_in(folder) or {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
        return adapt(network, image_size=image_size, **values)

    def _set(self, config: Any, name: str, options: dict[str, Any]) -> None:
        for field, value in options.items():
            if not hasattr(config, field):
                close = difflib.get_close_matches(field, config.to_dict(), 3)
                raise ExperimentError(
                    f"Model 'transformers/{shown(name)}' has no option '{shown(field)}'; expected a field of its "
                    f"configuration" + (f", such as {', '.join(close)}." if close else ".")
                )
            setattr(config, field, value)

    def _network(self, transformers: Any, config: Any, folder: Path | None) -> nn.Module:
        kind = transformers.AutoModelForImageClassification
        has_weights = folder is not None and any(path.suffix in (".safetensors", ".bin") for path in folder.iterdir())
        if not has_weights:
            return kind.from_config(config)
        try:
            network, report = kind.from_pretrained(
                folder, config=config, local_files_only=True, ignore_mismatched_sizes=True, output_loading_info=True
            )
        except Exception as error:  # each format of weights has errors of its own
            raise ExperimentError(
                f"{folder} holds no image classifier of transformers ({shown(error)}); expected config.json and "
                "weights as save_pretrained writes them."
            ) from error
        missing = [*report["missing_keys"], *(key[0] for key in report["mismatched_keys"])]
        if missing:
            warnings.warn(
                LabNote(f"{folder} has no weights for {', '.join(sorted(missing)[:5])} of {config.num_labels} classes, "
                        "which start at random."),
                stacklevel=2,
            )  # fmt: skip
        return network.train()
