"""Find the layer whose output explains a network: the last feature map on every path to the logits."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from e2kd_lab.models.autograd_graph import operations_behind
from e2kd_lab.models.dry_run import Call, DryRun, DryRunner
from e2kd_lab.models.feature_layout import FeatureLayout, layout_of, prefix_tokens
from e2kd_lab.models.stages import stage_paths
from e2kd_lab.system.errors import ExperimentError, shown

# What stands between a map and the logits where the head is global average pooling and one linear layer.
_OF_POOLED_HEADS = {
    "AdaptiveAvgPool2DBackward0", "AddmmBackward0", "AliasBackward0", "AsStridedBackward0", "AsStridedBackward1",
    "AvgPool2DBackward0", "CloneBackward0",
    "LinearBackward0", "MeanBackward0", "MeanBackward1", "MmBackward0", "PermuteBackward0", "ReshapeAliasBackward0",
    "SelectBackward0", "SliceBackward0", "SqueezeBackward0", "SqueezeBackward1", "SqueezeBackward2", "TBackward0",
    "TransposeBackward0", "UnsafeViewBackward0", "UnsqueezeBackward0", "ViewBackward0",
    "torch::autograd::AccumulateGrad",
}  # fmt: skip
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Findings:
    """What the search found about a network.

    Attributes
    ----------
    layer : str
        Path of the layer whose output is the feature map.
    layout : FeatureLayout
        How the map lies in it.
    shape : tuple of int
        Channels, height and width of the map.
    size : tuple of int
        Height and width of the images that showed it.
    input_channels : int
        Channels of the network's input.
    changed_in_place : bool
        Whether a later layer changes the output in place; the map is then what it becomes.
    head : str or None
        Path of the linear layer if the head is global average pooling and this layer.
    head_in_training : bool
        Whether that holds in training mode, too, where dropout would stand between.
    stages : tuple of str
        Paths of the maps (N, C, H, W) that a CNN's stages end with (see `e2kd_lab.models.stages`).
    """

    layer: str
    layout: FeatureLayout
    shape: tuple[int, int, int]
    size: tuple[int, int]
    input_channels: int
    changed_in_place: bool
    head: str | None
    head_in_training: bool
    stages: tuple[str, ...]


def find_explained_layer(
    runner: DryRunner,
    size: tuple[int, int],
    layer: str | None,
    reshape: Callable[[Tensor], Tensor] | None,
) -> Findings:
    """Find the layer that explains a network by a dry run, or check the one that is named.

    The map is the output of the last layer that (a) is all that the logits see of the image, (b) has more than one
    place, and (c) is reached by the gradient of the explained logit, class and register tokens apart.

    Parameters
    ----------
    runner : DryRunner
        The network, inside `e2kd_lab.models.dry_run.prepared`.
    size : tuple of int
        Height and width of the images in pixels.
    layer : str, optional
        Path of a layer.
    reshape : callable, optional
        From the layer's output to a map (N, C, H, W).

    Raises
    ------
    ExperimentError
        If there is no such layer, or the one that is named cannot be explained.
    """
    run = runner.run(size)
    search = LayerSearch(runner, run, reshape)
    call = search.last() if layer is None else search.named(layer)
    layout = search.layout(call)
    assert layout is not None
    found = layout.as_map(call.tensor, size)
    head = search.pooled_head(call, layout)
    return Findings(
        layer=call.path,
        layout=layout,
        shape=(found.shape[1], found.shape[2], found.shape[3]),
        size=size,
        input_channels=run.inputs.shape[1],
        changed_in_place=call.tensor._version != call.version,
        head=head,
        head_in_training=head is not None and _pools_in_training(runner, size, call.path),
        stages=search.stages(call) if head is not None and layout.kind == "NCHW" else (),
    )


class LayerSearch:
    """The layers of one dry run, and which of them can explain the network."""

    def __init__(self, runner: DryRunner, run: DryRun, reshape: Callable[[Tensor], Tensor] | None) -> None:
        self.runner, self.run, self.reshape = runner, run, reshape
        self.prefix = prefix_tokens(runner.module)

    def layout(self, call: Call) -> FeatureLayout | None:
        """Layout of a layer's output as a map; None if it is none."""
        if call.tensor.shape[:1] != self.run.inputs.shape[:1] or not call.tensor.is_floating_point():
            return None
        if self.reshape is None:
            return None if self._is_flattened(call) else layout_of(call.tensor, self.run.size, self.prefix)
        try:
            found = self.reshape(call.tensor.detach())
        except (RuntimeError, ValueError, IndexError, TypeError):
            return None
        return FeatureLayout("reshape", reshape=self.reshape) if isinstance(found, Tensor) and found.ndim == 4 else None

    def _is_flattened(self, call: Call) -> bool:
        """Whether an output is a flattened map (N, C, H * W), easily mistaken for tokens (N, T, C)."""
        own = call.tensor
        maps = (other.tensor for other in self.run.calls if other.tensor.ndim == 4)
        return own.ndim == 3 and any(
            one.shape[:2] == own.shape[:2] and one[0, 0].numel() == own.shape[2] and torch.equal(one.flatten(2), own)
            for one in maps
        )

    def last(self) -> Call:
        """The last layer that can explain the network."""
        for call in self.reached(self.run.dominators()):
            if self.runner.decides(call, self.run.size):
                return call
        others = [call.path for call in self.reached(list(self.run.calls))][::-1]
        name = type(self.runner.module).__name__
        raise ExperimentError(
            f"{name} has no layer whose output is a map of places that all its logits depend on; "
            + (f"expected layer= with one of {_some(others)}." if others else "expected a network of images.")
        )

    def reached(self, calls: list[Call]) -> list[Call]:
        """Layers whose output is a map with a gradient from the explained logit."""
        maps = [(call, layout) for call in calls if (layout := self.layout(call)) and not self._is_image(call)]
        gradients = self.run.gradients([call for call, _ in maps])
        return [
            call
            for (call, layout), gradient in zip(maps, gradients, strict=True)
            if gradient is not None and layout.as_map(gradient, self.run.size).any()
        ]

    def _is_image(self, call: Call) -> bool:
        return call.tensor.shape[1:] == self.run.inputs.shape[1:]

    def named(self, path: str) -> Call:
        """The call of a layer that the user names.

        Raises
        ------
        ExperimentError
            If it is not there, is not called once, puts out no map, or is not reached by the gradient.
        """
        name = type(self.runner.module).__name__
        paths = [other for other, _ in self.runner.module.named_modules() if other]
        if path not in paths:
            close = difflib.get_close_matches(path, paths, 3) or [call.path for call in self.run.calls][-3:]
            raise ExperimentError(f"{name} has no layer '{shown(path)}'; expected for instance {', '.join(close)}.")
        call = next((call for call in self.run.calls if call.path == path), None)
        if call is None:
            what = "called more than once" if path in self.run.repeated else "not called, or puts out no tensor"
            raise ExperimentError(f"Layer '{path}' of {name} is {what}; expected {self._instead()}.")
        layout = self.layout(call)
        if layout is None:
            raise ExperimentError(
                f"Layer '{path}' of {name} puts out {tuple(call.tensor.shape)} for {len(self.run.inputs)} images of "
                f"{self.run.size[0]} x {self.run.size[1]} px, which is no map of more than one place; expected "
                f"{self._instead()}, or reshape= with a function that makes a map (N, C, H, W) of it."
            )
        if not self.reached([call]):
            raise ExperimentError(
                f"The logits of {name} do not depend on the places of the map that layer '{path}' puts out (of a "
                f"transformer's last block only the class token counts), so that all maps would be zero; expected "
                f"{self._instead()}."
            )
        return call

    def _instead(self) -> str:
        try:
            return f"layer='{self.last().path}'"
        except ExperimentError:
            return "another layer"

    def pooled_head(self, call: Call, layout: FeatureLayout) -> str | None:
        """Path of the linear layer after global average pooling of a layer's map; None for other heads."""
        logits, tensor = self.run.logits, call.tensor
        last = [other for other in self.run.calls if other.tensor is logits and isinstance(other.layer, nn.Linear)]
        if not last or not tensor.requires_grad or not operations_behind(logits, tensor) <= _OF_POOLED_HEADS:
            return None
        head, (gradient,) = last[0].layer, self.run.gradients([call])
        features = layout.as_map(tensor.detach(), self.run.size)
        assert isinstance(head, nn.Linear)
        if gradient is None or head.in_features != features.shape[1]:
            return None
        weight = head.weight[logits.argmax(1)] / features[0, 0].numel()  # (N, C)
        closed = weight[:, :, None, None].expand_as(features)
        same = _close(head(features.mean((2, 3))), logits) and _close(closed, layout.as_map(gradient, self.run.size))
        return last[0].path if same else None

    def stages(self, last: Call) -> tuple[str, ...]:
        """Paths of the last map of each stage, down to the explained one."""
        above = self.run.dominators()
        paths = [call.path for call in above]
        chain = above[paths.index(last.path) :][::-1] if last.path in paths else []
        sizes = {call.path: tuple(call.tensor.shape[2:]) for call in self.run.calls if self._is_stage(call)}
        return stage_paths([(call.path, sizes[call.path]) for call in chain if call.path in sizes], sizes)

    def _is_stage(self, call: Call) -> bool:
        layout = self.layout(call)
        return layout is not None and layout.kind == "NCHW" and not self._is_image(call)


def _pools_in_training(runner: DryRunner, size: tuple[int, int], path: str) -> bool:
    """Whether only pooling and a linear layer follow a layer, in training mode too."""
    try:
        runner.module.train()
        run = runner.run(size)
        call = next(call for call in run.calls if call.path == path)
        return operations_behind(run.logits, call.tensor) <= _OF_POOLED_HEADS
    except (RuntimeError, ValueError, StopIteration):  # a network that cannot train on two images
        return False
    finally:
        runner.module.eval()


def _close(one: Tensor, other: Tensor) -> bool:
    tolerance = max(_TOLERANCE, 10 * torch.finfo(other.dtype).eps)
    return bool((one - other).abs().max() <= tolerance * other.abs().max())


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
