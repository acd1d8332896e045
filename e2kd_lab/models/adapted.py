"""Wrapper that makes a network of any library explainable, without changing or copying it."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from e2kd_lab.models.feature_layout import first_tensor
from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.models.layer_search import Findings
from e2kd_lab.system.errors import ExperimentError

# What a wrapper and its network share, so that parameters, buffers and children have one home and their own names.
_SHARED = (
    "_parameters", "_buffers", "_non_persistent_buffers_set", "_modules", "_load_state_dict_post_hooks",
)  # fmt: skip


class AdaptedModel(ExplainableModel):
    """A classifier that `e2kd_lab.adapt` has made explainable.

    Parameters, buffers, children and their names are the network's own: its state dict, optimizers and hooks do not
    notice the wrapper.

    Parameters
    ----------
    module : nn.Module
        The network.
    findings : Findings
        Where its feature map is.
    preprocess : callable
        From RGB images in [0, 1] to the network's input.
    preprocess_source : str
        Where that comes from.
    logits_of : callable
        Takes the logits (N, K) out of what the network puts out.
    """

    def __init__(
        self,
        module: nn.Module,
        findings: Findings,
        preprocess: Callable[[Tensor], Tensor],
        preprocess_source: str,
        logits_of: Callable[[Any], Tensor],
    ) -> None:
        super().__init__()
        for name in _SHARED:
            self.__dict__[name] = module.__dict__[name]
        self.__dict__["_wrapped"] = module
        self.preprocess = preprocess  # type: ignore[assignment]
        self.input_channels = findings.input_channels  # type: ignore[misc]
        self.findings, self._preprocess_source, self._logits_of = findings, preprocess_source, logits_of

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "preprocess":  # outside the module tree: no part of the network's state
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    @property
    def wrapped(self) -> nn.Module:
        """The network itself."""
        return self.__dict__["_wrapped"]

    @property
    def training(self) -> bool:
        """Whether the network is in training mode."""
        wrapped = self.__dict__.get("_wrapped")
        return True if wrapped is None else wrapped.training

    @training.setter
    def training(self, mode: bool) -> None:
        if "_wrapped" in self.__dict__:
            self.wrapped.training = mode

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images that the network accepts."""
        return self.findings.size

    @property
    def explained_layer(self) -> nn.Module:
        """The layer whose output is the feature map."""
        return self.get_submodule(self.findings.layer)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, K) of a preprocessed input (N, input_channels, H, W)."""
        return self._logits_of(self.wrapped(x))

    def forward_with_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See `ExplainableModel.forward_with_features`; the tensor is the explained layer's output."""
        (features,), logits = self._forward_with((self.findings.layer,), x)
        return features, logits

    def as_map(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """See `ExplainableModel.as_map`."""
        return self.findings.layout.as_map(features, size)

    def forward_features(self, x: Tensor) -> Tensor:
        """The feature map (N, C, H', W')."""
        return self.as_map(self.forward_with_features(x)[0], (x.shape[-2], x.shape[-1]))

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits (N, K) from the feature map, where the head is global average pooling and one linear layer.

        Raises
        ------
        ExperimentError
            If it is another one.
        """
        head = self.pooled_linear_head()
        if head is None:
            raise ExperimentError(
                f"{self._name()} does not end in global average pooling and a linear layer"
                + (" in training mode" if self.findings.head is not None else "")
                + ", so that its logits cannot be computed from its feature map alone; expected a method that needs "
                "logits and explanations only, such as e2kd."
            )
        return head(features.mean((2, 3)))

    def pooled_linear_head(self) -> nn.Linear | None:
        """See `ExplainableModel.pooled_linear_head`; with dropout in front of it, in evaluation mode only."""
        if self.findings.head is None or (self.training and not self.findings.head_in_training):
            return None
        head = self.get_submodule(self.findings.head)
        return head if isinstance(head, nn.Linear) else None

    def forward_stages(self, x: Tensor) -> list[Tensor]:
        """The last map of each height and width, after its activation, the shallowest first, at most four.

        Raises
        ------
        ExperimentError
            If the network is no CNN that ends in global average pooling and a linear layer.
        """
        if not self.findings.stages:
            raise ExperimentError(
                f"{self._name()} has no stages of feature maps that AT or ReviewKD could match; expected a CNN that "
                "ends in global average pooling and a linear layer."
            )
        return self._forward_with(self.findings.stages, x)[0]

    def activate(self, stage: Tensor) -> Tensor:
        """See `ExplainableModel.activate`: stages of adapted networks are activated."""
        return stage

    def _forward_with(self, paths: Sequence[str], x: Tensor) -> tuple[list[Tensor], Tensor]:
        layers = [self.get_submodule(path) for path in paths]
        with capturing(layers, in_place=self.findings.changed_in_place) as captured:
            logits = self.forward(x)
        missing = [path for path, layer in zip(paths, layers, strict=True) if layer not in captured]
        if missing:
            raise ExperimentError(
                f"Layer '{missing[0]}' of {self._name()} was not called; expected the network as it was adapted, or "
                "lab.adapt again."
            )
        return [captured[layer] for layer in layers], logits

    def train(self, mode: bool = True) -> AdaptedModel:
        """Set the mode of the network itself."""
        self.wrapped.train(mode)
        if isinstance(self.preprocess, nn.Module):
            self.preprocess.train(mode)
        return self

    def get_submodule(self, target: str) -> nn.Module:
        """A layer of the network by its path."""
        return self.wrapped.get_submodule(target) if target else self

    def set_submodule(self, target: str, module: nn.Module, strict: bool = False) -> None:
        """Replace the network's layer at this path."""
        self.wrapped.set_submodule(target, module, strict)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """State dict of the network itself."""
        return self.wrapped.state_dict(*args, **kwargs)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load a state dict of the network itself."""
        return self.wrapped.load_state_dict(state_dict, strict, assign)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self.wrapped._load_from_state_dict(*args, **kwargs)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> AdaptedModel:
        self.wrapped._apply(fn, recurse)
        if isinstance(self.preprocess, nn.Module):
            self.preprocess._apply(fn)
        return self

    def _name(self) -> str:
        return type(self.wrapped).__name__

    def __repr__(self) -> str:
        found = self.findings
        channels, rows, columns = found.shape
        closed = "by gradient" if found.head is None else f"in closed form through '{found.head}'"
        closed += ", in training mode by gradient" if found.head is not None and not found.head_in_training else ""
        changed = ", as later layers change it in place" if found.changed_in_place else ""
        how = f" ({self.preprocess})" if isinstance(self.preprocess, nn.Module) else ""
        return (
            f"AdaptedModel of {self._name()}\n"
            f"  feature map: '{found.layer}' ({found.layout}{changed}), {channels} channels of {rows} x {columns} for "
            f"images of {found.size[0]} x {found.size[1]} px\n"
            f"  GradCAM: {closed}\n"
            f"  preprocessing: {self._preprocess_source}{how}"
        )


@contextmanager
def capturing(layers: Sequence[nn.Module], *, in_place: bool) -> Iterator[dict[nn.Module, Tensor]]:
    """Collect the outputs of layers, on this thread only.

    Where gradients are enabled each of them has one, also in a frozen network.

    Parameters
    ----------
    layers : sequence of Module
        Each is called once.
    in_place : bool
        Whether later layers may change their outputs in place, which a leaf of the graph does not allow.
    """
    captured: dict[nn.Module, Tensor] = {}
    thread = threading.get_ident()

    def hook(layer: nn.Module, _: Any, output: Any) -> Any:
        if threading.get_ident() != thread:
            return None
        tensor = first_tensor(output)
        if tensor is None:
            return None
        if torch.is_grad_enabled() and not tensor.requires_grad:  # a frozen network: the gradient starts here
            if in_place:
                captured[layer] = tensor + tensor.new_zeros(()).requires_grad_()
                return _with_first(output, captured[layer])
            tensor.requires_grad_()
        captured[layer] = tensor
        return None

    handles = [layer.register_forward_hook(hook) for layer in layers]
    try:
        yield captured
    finally:
        for handle in handles:
            handle.remove()


def _with_first(output: Any, tensor: Tensor) -> Any:
    """A layer's output with another first tensor (see `first_tensor`)."""
    if isinstance(output, Tensor):
        return tensor
    if isinstance(output, Mapping):
        changed: Any = copy.copy(output)
        changed[next(iter(output))] = tensor
        return changed
    rest = (tensor, *output[1:])
    return type(output)(*rest) if hasattr(output, "_fields") else type(output)(rest)
