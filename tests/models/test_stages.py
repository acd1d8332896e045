"""What prior methods see of a network: stages before their activation, class activation maps, fused levels."""

import pytest
import torch

from e2kd_lab import build_model
from e2kd_lab.models import model_names
from e2kd_lab.system.errors import ExperimentError

CNNS = [name for name in model_names() if "vit" not in name]


@pytest.mark.parametrize("name", CNNS)
def test_last_stage_is_the_last_feature_map_and_class_maps_average_to_the_logits(name):
    torch.manual_seed(0)
    model = build_model(name, 3).double().eval()
    x = model.preprocess(torch.rand(2, 3, 64, 64, dtype=torch.float64))
    with torch.no_grad():
        stages = model.forward_stages(x)
        features = model.forward_features(x)
        torch.testing.assert_close(model.activate(stages[-1]), features)
        torch.testing.assert_close(model.class_maps(features).mean((2, 3)), model(x))
    sizes = [stage.shape[2] for stage in stages]
    assert sizes == sorted(sizes, reverse=True)
    expected = 2 if name == "bcos_densenet_mini" else 3 if "mini" in name else 4
    assert len(stages) == expected


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet_mini"])
def test_stages_are_what_the_blocks_put_into_their_last_relu(name):
    torch.manual_seed(0)
    model = build_model(name, 3).double().eval()
    outputs = []
    for stage in (getattr(model, f"layer{n}", None) for n in range(1, 5)):
        if stage is not None:
            stage.register_forward_hook(lambda module, inputs, output: outputs.append(output.clone()))
    x = model.preprocess(torch.rand(1, 3, 64, 64, dtype=torch.float64))
    with torch.no_grad():
        model(x)
        stages = model.forward_stages(x)
    for stage, output in zip(stages, outputs, strict=True):
        assert (stage < 0).any()  # before the activation
        torch.testing.assert_close(torch.relu(stage), output)


@pytest.mark.parametrize("name", [name for name in model_names() if "vit" in name])
def test_transformers_have_no_stages(name):
    model = build_model(name, 3)
    with pytest.raises(ExperimentError, match="no stages of feature maps that AT or ReviewKD could match"):
        model.forward_stages(torch.rand(1, model.input_channels, 32, 32))
    with pytest.raises(ExperimentError, match="no class activation maps that CAT-KD could match"):
        model.class_maps(torch.rand(1, 64, 4, 4))
