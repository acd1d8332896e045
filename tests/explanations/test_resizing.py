import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from e2kd_lab.explanations.resizing import resized

sides = st.integers(1, 12)


@given(images=st.integers(1, 3), channels=st.integers(1, 6), old=st.tuples(sides, sides), new=st.tuples(sides, sides))
def test_values_and_gradients_are_torchs(images, channels, old, new):
    maps = torch.randn(images, channels, *old, dtype=torch.float64, requires_grad=True)
    ours = resized(maps, new)
    theirs = F.interpolate(maps, size=new, mode="bilinear", align_corners=False)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    direction = torch.randn_like(theirs)
    gradients = [torch.autograd.grad((result * direction).sum(), maps)[0] for result in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


def test_weights_made_without_gradients_serve_training():
    with torch.inference_mode():
        resized(torch.rand(1, 1, 3, 3), (7, 7))
    maps = torch.rand(1, 1, 3, 3, requires_grad=True)
    resized(maps, (7, 7)).sum().backward()
    assert maps.grad.sum().item() > 0
