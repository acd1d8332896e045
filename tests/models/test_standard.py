import pytest
import torch
import torchvision.models
from torchvision.models import ResNet18_Weights
from torchvision.transforms.v2 import functional as F

from e2kd_lab import build_model
from e2kd_lab.models import model_names
from e2kd_lab.system.errors import ExperimentError

NETWORKS = ["resnet18", "resnet34", "resnet50", "densenet169"]


@pytest.mark.parametrize("name", NETWORKS)
def test_keys_and_logits_are_torchvisions(name):
    torch.manual_seed(0)
    theirs = torchvision.models.get_model(name, num_classes=7).eval()
    ours = build_model(name, 7).eval()
    assert {key: t.shape for key, t in ours.state_dict().items()} == {
        key: t.shape for key, t in theirs.state_dict().items()
    }
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x))
        torch.testing.assert_close(ours.forward_head(ours.forward_features(x)), theirs(x))


def test_preprocessing_is_torchvisions():
    image = torch.rand(3, 224, 224)
    theirs = ResNet18_Weights.IMAGENET1K_V1.transforms(crop_size=224, resize_size=224)(image)
    ours = build_model("resnet18", 2).preprocess(image[None])[0]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours, F.normalize(image, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


@pytest.mark.parametrize("size", [32, 64, 72])
def test_resnet_mini_has_three_stages(size):
    model = build_model("resnet_mini", 3).eval()
    features = model.forward_features(torch.rand(2, 3, size, size))
    assert features.shape == (2, 64, size // 8, size // 8)
    assert features.min() >= 0
    assert sum(p.numel() for p in model.parameters()) < 100_000
    assert build_model("resnet_mini", 3, width=8, blocks=2).fc.in_features == 32


def test_refuses_unknown_names_and_options():
    with pytest.raises(ExperimentError, match=r"no model 'resnet19'; expected one of .*densenet169, "):
        build_model("resnet19", 2)
    with pytest.raises(ExperimentError, match="'resnet18' does not take these options"):
        build_model("resnet18", 2, width=3)
    with pytest.raises(ExperimentError, match="has num_classes = 0; expected at least 1"):
        build_model("resnet18", 0)
    assert set(NETWORKS) < set(model_names())
