"""The weights and images that the golden numbers of the reference program were computed with."""

from pathlib import Path

import torch

GOLDEN = Path(__file__).parent / "golden"


def fill(model, base, *, bcos=False):
    """Overwrite every entry of the state dict by a rule of its position; float64, in evaluation mode."""
    fan, first_variance, state = None, True, {}
    for i, (key, tensor) in enumerate(model.state_dict().items()):
        leaf = key.rsplit(".", 1)[-1]
        z = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(base + i), dtype=torch.float64)
        if leaf == "num_batches_tracked":
            state[key] = torch.zeros_like(tensor)
        elif leaf == "running_var" and bcos:  # keeps signals of order one through a B-cos network
            state[key] = (1 + 0.1 * z.abs()) * (3 / fan) / (16 if first_variance else 1)
            first_variance = False
        elif leaf == "running_var":
            state[key] = (1 + 0.1 * z.abs()) * (fan / 400)
        elif leaf == "weight" and tensor.ndim == 1:
            state[key] = 1 + 0.05 * z
        else:
            state[key] = 0.05 * z + (0.05 if bcos and i == 0 and tensor.ndim == 2 else 0)
            fan = tensor[0].numel() if tensor.ndim > 1 else fan
    model.double().load_state_dict(state)
    return model.eval()


def images(size):
    """Two RGB images of noise in [0, 1], float64."""
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def relative(ours, expected):
    """Largest difference, relative to the largest expected value."""
    expected = torch.as_tensor(expected).double()
    return ((ours.detach().double() - expected).abs().max() / expected.abs().max()).item()
