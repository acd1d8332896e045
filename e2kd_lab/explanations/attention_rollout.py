"""Attention rollout of vision transformers (Abnar and Zuidema, ACL 2020)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from e2kd_lab.explanations.explanation_method import Drawing, Explanation, ExplanationMethod
from e2kd_lab.explanations.inner_gradient import explained_logits
from e2kd_lab.explanations.registry import register_explanation
from e2kd_lab.explanations.resizing import resized
from e2kd_lab.losses.precision import at_least_float32
from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.system.errors import ExperimentError


@register_explanation("attention_rollout", title="Attention rollout")
class AttentionRollout(ExplanationMethod):
    r"""How much of each patch the attention of all blocks brings to the classified token; the same for all classes.

    .. math:: R = \prod_l \tfrac12 (A_l + I), \qquad A_l = \text{mean of the attention matrices over heads}

    The map is the row of R of the class token, or the mean row of networks that average their tokens. It does not
    depend on the explained class, nor on values and feed-forward layers.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> model = lab.build_model("bcos_vit_mini", num_classes=2).eval()
    >>> lab.explain(model, torch.rand(1, 3, 32, 32), method="attention_rollout").maps.shape
    torch.Size([1, 1, 32, 32])
    """

    passes_whole_network: ClassVar[bool] = True

    def __call__(
        self, model: ExplainableModel, images: Tensor, classes: Tensor | None = None, *, create_graph: bool = False
    ) -> Explanation:
        """See `ExplanationMethod.__call__`."""
        size = (images.shape[-2], images.shape[-1])
        with torch.set_grad_enabled(create_graph):
            with _RecordedAttention() as recorded:
                features, logits = model.forward_with_features(model.preprocess(images))
            with torch.autocast(images.device.type, enabled=False):
                rollout = rolled_out(
                    recorded.matrices, len(images), type(getattr(model, "wrapped", model)).__name__
                )  # (N, T, T)
                rows, columns = model.as_map(features, size).shape[2:]
                patches = rows * columns
                of_token = rollout[:, 0] if rollout.shape[1] > patches else rollout.mean(dim=1)  # (N, T)
                maps = resized(of_token[:, -patches:].view(-1, 1, rows, columns), size)
        _, classes = explained_logits(logits, classes)
        return Explanation(logits, classes, maps)

    def draw(self, images: Tensor, maps: Mapping[str, Tensor], *, contributions: bool = False) -> Drawing:
        """See `ExplanationMethod.draw`; the label says that the map is that of all classes."""
        label = f"{self.title}, the same for all classes, divided by its L2 norm"
        return dataclasses.replace(super().draw(images, maps), label=label)


def rolled_out(matrices: list[Tensor], count: int, network: str) -> Tensor:
    """The product of the blocks' mean attention and shortcut, (N, T, T), in at least float32.

    Parameters
    ----------
    matrices : list of Tensor
        Attention matrices of the blocks in their order, (N, heads, T, T), rows summing up to 1.
    count : int
        Number of images, N.
    network : str
        Its name in errors.

    Raises
    ------
    ExperimentError
        If there is no block, or not all tokens of an image attend to each other.

    Examples
    --------
    >>> rolled_out([torch.full((1, 1, 2, 2), 0.5)], 1, "a network")
    tensor([[[0.7500, 0.2500],
             [0.2500, 0.7500]]])
    """
    shapes = {(len(one), one.shape[-1]) for one in matrices}
    if len(shapes) != 1 or next(iter(shapes))[0] != count:
        found = "no attention" if not shapes else "attention within windows or at several resolutions"
        raise ExperimentError(
            f"{network} has {found}, which cannot be rolled out; expected a vision transformer whose tokens all attend "
            "to each other, or another explanation, for instance gradcam."
        )
    identity = torch.eye(matrices[0].shape[-1], device=matrices[0].device)
    rollout = None
    for matrix in matrices:
        attention = at_least_float32(matrix).mean(dim=1)
        block = (attention + identity.to(attention)) / 2
        rollout = block if rollout is None else block @ rollout
    assert rollout is not None
    return rollout


class _RecordedAttention(TorchFunctionMode):
    """Keeps the attention matrices (N, heads, T, T) of forward passes inside, written out or fused."""

    def __init__(self) -> None:
        super().__init__()
        self.matrices: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            return self._fused(*args, **kwargs)
        if func is F.multi_head_attention_forward:
            return self._of_torch(func, args, kwargs)
        result = func(*args, **kwargs)
        if func in (F.softmax, torch.softmax, Tensor.softmax) and result.ndim == 4:
            self._keep(result)
        return result

    def _fused(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """Fused attention, written out, which also has a second derivative."""
        scores = query @ key.transpose(-1, -2) * (scale or 1 / math.sqrt(query.shape[-1]))
        if attn_mask is not None:
            scores = scores.masked_fill(~attn_mask, -torch.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
        attention = scores.softmax(dim=-1)
        if not is_causal:
            self._keep(attention)
        return F.dropout(attention, dropout_p) @ value

    def _of_torch(self, func: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Tensor, Tensor | None]:
        """Attention of `torch.nn.MultiheadAttention`, which gives its matrix when it is asked to."""
        result, matrix = func(*args, **{**kwargs, "need_weights": True, "average_attn_weights": False})
        self._keep(matrix)
        if not kwargs.get("need_weights", True):
            return result, None
        return result, matrix.mean(dim=1) if kwargs.get("average_attn_weights", True) else matrix

    def _keep(self, matrix: Tensor) -> None:
        if matrix.shape[-1] == matrix.shape[-2]:
            self.matrices.append(matrix)
