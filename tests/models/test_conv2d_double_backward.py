import pytest
import torch

from e2kd_lab.models.bcos_layers import BcosConv2d
from e2kd_lab.models.dynamic_scales import switchable_scales


# Side of the images: weights of 3 x 3 x 6 x 8 outweigh maps of 2 x 2 pixels, which outweigh those of 9 x 9.
@pytest.mark.parametrize("side", [2, 9])
def test_weights_get_the_gradients_of_all_explanations_and_of_the_logits_whatever_is_asked(side):
    torch.manual_seed(0)
    layer = BcosConv2d(6, 8, 3, 1, 1).double()
    weight = layer.linear.weight
    x = torch.rand(1, 6, side, side, dtype=torch.float64, requires_grad=True)
    directions = torch.randn(2, *x.shape, dtype=torch.float64)

    def terms(*, once):
        """Two explanations and the outputs: from one forward pass, or from one each."""
        found = []
        switched = None
        for number, direction in enumerate(directions):
            if switched is None or not once:
                with switchable_scales() as switch:
                    switched = layer(x)
            with switch.frozen():
                (frozen,) = torch.autograd.grad(switched[:, number].sum(), x, create_graph=True)
            found.append((frozen * direction).sum())
        return [*found, (switched if once else layer(x)).square().sum()]

    expected = [torch.autograd.grad(term, weight)[0] for term in terms(once=False)]
    together = terms(once=True)
    every = {"retain_graph": True}
    for _ in range(2):
        torch.testing.assert_close(torch.autograd.grad(sum(together), weight, **every)[0], sum(expected))
        for term, gradient in zip(together, expected, strict=True):
            torch.testing.assert_close(torch.autograd.grad(term, weight, **every)[0], gradient)


def test_a_loss_on_an_explanation_refuses_to_be_differentiated_twice():
    layer = BcosConv2d(6, 8, 3, 1, 1)
    x = torch.rand(1, 6, 2, 2, requires_grad=True)
    with switchable_scales() as switch:
        y = layer(x)
    with switch.frozen():
        (frozen,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        torch.autograd.grad(frozen.square().sum(), layer.linear.weight, create_graph=True)
