"""LayerCAM, HiResCAM and Grad-CAM++ against the grad-cam package, and what their formulas imply."""

import pytest
import torch
from pytorch_grad_cam import GradCAMPlusPlus, HiResCAM, LayerCAM

from e2kd_lab import build_model, explain
from e2kd_lab.explanations import EXPLANATIONS

THEIRS = {"layercam": LayerCAM, "hirescam": HiResCAM, "gradcam_pp": GradCAMPlusPlus}


@pytest.mark.parametrize("name", THEIRS)
def test_equals_the_grad_cam_package(name):
    torch.manual_seed(0)
    features = torch.rand(3, 5, 4, 6, dtype=torch.float64)
    gradients = torch.randn_like(features)
    gradients[0, 0] = 0
    model = build_model("resnet_mini", 2)
    with THEIRS[name](model=model, target_layers=[model.layer3]) as cam:
        map_ = cam.get_cam_image(None, None, [], features.numpy(), gradients.numpy(), False)
    expected = torch.as_tensor(map_)[:, None]
    ours = EXPLANATIONS[name].weigh(features, gradients)
    if name == "gradcam_pp":  # their denominators are 1e-6 larger
        torch.testing.assert_close(ours, expected.relu(), rtol=1e-4, atol=1e-4)
    else:
        torch.testing.assert_close(ours.relu(), expected.relu(), rtol=1e-9, atol=1e-12)


def test_grad_cam_plus_plus_is_its_formula_and_zero_where_the_denominator_is():
    torch.manual_seed(0)
    features, gradients = torch.rand(2, 3, 4, 4, dtype=torch.float64), torch.randn(2, 3, 4, 4, dtype=torch.float64)
    cubed = features.sum((2, 3), keepdim=True) * gradients**3
    alpha = gradients**2 / (2 * gradients**2 + cubed)
    expected = ((alpha * gradients.relu()).sum((2, 3), keepdim=True) * features).sum(1, keepdim=True).relu()
    torch.testing.assert_close(EXPLANATIONS["gradcam_pp"].weigh(features, gradients), expected)
    features = torch.tensor([[[[-2.0, 0.0]]]], requires_grad=True)  # 2 + G sum(F) is 0 at the first place
    gradients = torch.tensor([[[[1.0, 0.5]]]], requires_grad=True)
    found = EXPLANATIONS["gradcam_pp"].weigh(-features, -gradients) + EXPLANATIONS["gradcam_pp"].weigh(
        features, gradients
    )
    found.sum().backward()
    assert all(t.isfinite().all() for t in (found, features.grad, gradients.grad))


def test_a_tiny_gradient_does_not_vanish():
    features, gradients = torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), 1e-30)  # its square is 0 in float32
    assert EXPLANATIONS["gradcam_pp"].weigh(features, gradients).amin() > 0


def test_hires_cam_sums_up_to_the_logit_and_is_drawn_by_its_positive_part():
    torch.manual_seed(0)
    model, images = build_model("resnet_mini", 3).double().eval(), torch.rand(2, 3, 32, 32, dtype=torch.float64)
    logits, classes, maps = explain(model, images, method="hirescam")
    features = model.forward_features(model.preprocess(images))
    gradients = (model.fc.weight[classes] / 16)[:, :, None, None].expand_as(features)
    places = EXPLANATIONS["hirescam"].weigh(features, gradients)
    expected = logits.gather(1, classes[:, None])[:, 0] - model.fc.bias[classes]
    torch.testing.assert_close(places.sum((1, 2, 3)), expected)
    torch.testing.assert_close(maps.mean((1, 2, 3)) * 16, expected, rtol=0.3, atol=0.3)  # resized
    drawing = EXPLANATIONS["hirescam"].draw(images, {"teacher": maps, "flipped": -maps})
    assert drawing.low == 0
    assert drawing.label.startswith("Positive part of HiResCAM {of}")
    alone = EXPLANATIONS["hirescam"].draw(images, {"teacher": maps.relu(), "flipped": (-maps).relu()})
    assert (drawing.pictures["teacher"] == alone.pictures["teacher"]).all()
