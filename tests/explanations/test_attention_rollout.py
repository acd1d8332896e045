"""Attention rollout against the formula written out, on networks of several libraries."""

import pytest
import timm
import torch
from torch import nn
from torchvision.models import VisionTransformer, swin_t

import e2kd_lab as lab
from e2kd_lab import build_model, explain
from e2kd_lab.explanations import EXPLANATIONS
from e2kd_lab.explanations.attention_rollout import rolled_out
from e2kd_lab.system.errors import ExperimentError


def product(matrices):
    rollout = torch.eye(matrices[0].shape[-1]).to(matrices[0])
    for matrix in matrices:
        rollout = (0.5 * matrix.mean(1) + 0.5 * torch.eye(matrix.shape[-1]).to(matrix)) @ rollout
    return rollout


def test_rows_stay_distributions():
    torch.manual_seed(0)
    matrices = [torch.rand(2, 3, 5, 5).softmax(-1) for _ in range(4)]
    torch.testing.assert_close(rolled_out(matrices, 2, "it"), product(matrices))
    torch.testing.assert_close(rolled_out(matrices, 2, "it").sum(-1), torch.ones(2, 5))


def test_the_labs_transformer_is_its_mean_row():
    torch.manual_seed(0)
    model, images = build_model("bcos_vit_mini", 3).eval(), torch.rand(2, 3, 16, 16)
    matrices, hooks = [], []
    for block in model.transformer.transformer:

        def keep(module, args):
            tokens = module.norm(args[0])
            q, k, _ = module.to_qkv(tokens).unflatten(2, (3, module.heads, -1)).permute(2, 0, 3, 1, 4)
            matrices.append((q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1))

        hooks.append(block.attn.register_forward_pre_hook(keep))
    model(model.preprocess(images))
    for hook in hooks:
        hook.remove()
    maps = explain(model, images, method="attention_rollout").maps
    assert len(matrices) == 4
    places = product(matrices).mean(1).view(2, 1, 2, 2)
    expected = nn.functional.interpolate(places, size=16, mode="bilinear", align_corners=False)
    torch.testing.assert_close(maps, expected.detach())


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_the_class_token_of_fused_attention(library):
    torch.manual_seed(0)
    if library == "timm":
        network = timm.create_model(
            "vit_tiny_patch16_224", num_classes=3, img_size=32, depth=2, embed_dim=32, num_heads=2
        )
        blocks = [block.attn for block in network.blocks]
    else:
        network = VisionTransformer(32, 16, 2, 2, 32, 64, num_classes=3)
        blocks = [block.self_attention for block in network.encoder.layers]
    model, images = lab.adapt(network.eval(), image_size=32), torch.rand(2, 3, 32, 32)
    tokens = []
    hooks = [block.register_forward_pre_hook(lambda _, args: tokens.append(args[0])) for block in blocks]
    before = model(model.preprocess(images))
    for hook in hooks:
        hook.remove()
    matrices = []
    for block, these in zip(blocks, tokens, strict=True):
        weight, bias = (block.qkv.weight, block.qkv.bias) if library == "timm" else (
            block.in_proj_weight, block.in_proj_bias
        )  # fmt: skip
        q, k, _ = nn.functional.linear(these, weight, bias).unflatten(2, (3, 2, 16)).permute(2, 0, 3, 1, 4)
        matrices.append((q @ k.transpose(-1, -2) / 4).softmax(-1))
    logits, _, maps = explain(model, images, method="attention_rollout")
    expected = product(matrices)[:, 0, 1:].view(2, 1, 2, 2)
    expected = nn.functional.interpolate(expected, size=32, mode="bilinear", align_corners=False)
    torch.testing.assert_close(maps, expected.detach(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(logits, before.detach(), rtol=1e-4, atol=1e-5)


def test_all_classes_have_one_map_and_the_label_says_so():
    model, images = build_model("bcos_vit_mini", 3).eval(), torch.rand(1, 3, 16, 16)
    maps = [explain(model, images, torch.tensor([k]), method="attention_rollout").maps for k in range(2)]
    assert torch.equal(*maps)
    assert "the same for all classes" in EXPLANATIONS["attention_rollout"].draw(images, {"teacher": maps[0]}).label


def test_windows_and_cnns_are_refused():
    swin = lab.adapt(swin_t(num_classes=2).eval(), image_size=64)
    with pytest.raises(ExperimentError, match="SwinTransformer has attention within windows"):
        explain(swin, torch.rand(1, 3, 64, 64), method="attention_rollout")
    with pytest.raises(ExperimentError, match="ResNetMini has no attention, which cannot be rolled out"):
        explain(build_model("resnet_mini", 2), torch.rand(1, 3, 16, 16), method="attention_rollout")
