import torch

from e2kd_lab.models.reviewkd_fusion import ReviewFusion


def test_fusion_has_the_teachers_shapes_and_reaches_every_level():
    torch.manual_seed(0)
    fusion = ReviewFusion((4, 8, 8), (6, 10, 12))
    levels = [torch.randn(2, c, s, s, requires_grad=True) for c, s in ((4, 8), (8, 4), (8, 1))]
    fused = fusion(levels, ((16, 16), (4, 4), (1, 1)))
    assert [tuple(f.shape[1:]) for f in fused] == [(6, 16, 16), (10, 4, 4), (12, 1, 1)]
    fused[0].square().sum().backward()  # the shallowest sees all deeper ones
    assert all(level.grad.abs().max() > 0 for level in levels)
    assert fusion.levels[0].reduce[0].out_channels == 12
    assert ReviewFusion((4,), (2048,)).levels[0].reduce[0].out_channels == 512
