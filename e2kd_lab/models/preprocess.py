"""From RGB images in [0, 1] to the input that a network was made for; runs on the device, per batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalize(nn.Module):
    """Subtract the mean and divide by the standard deviation of each channel.

    The constants move with the module but are no part of its state dict, so that checkpoints keep torchvision's keys.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...] = IMAGENET_MEAN, std: tuple[float, ...] = IMAGENET_STD) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Normalize images (N, 3, H, W) with values in [0, 1]."""
        mean, std = self.mean, self.std
        if mean.device != images.device:  # of a network that was moved without the wrapper that preprocesses for it
            mean, std = mean.to(images.device), std.to(images.device)
        return (images - mean) / std

    def extra_repr(self) -> str:
        """The constants, for the module's repr."""
        values = {"mean": self.mean, "std": self.std}
        return ", ".join(f"{name}={[round(v, 4) for v in value.flatten().tolist()]}" for name, value in values.items())


class AddInverse(nn.Module):
    """Append the inverse colours: (r, g, b) becomes (r, g, b, 1-r, 1-g, 1-b), the input encoding of B-cos networks.

    No pixel is all zero, so that dark ones can be evidence, too.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) with values in [0, 1] to (N, 6, H, W)."""
        return torch.cat([images, 1 - images], dim=1)
