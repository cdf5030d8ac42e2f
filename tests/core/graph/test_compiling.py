"""What is compiled, and that it does what the function does."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest
import torch
from torch import Tensor, nn
from torch.fx.passes.shape_prop import ShapeProp

from ebmkit.core.graph.compiling import compiled, followed

ACTIVATIONS = {
    nn.SiLU(): {"sigmoid"},
    nn.GELU(): {"erf", "exp"},
    nn.GELU("tanh"): {"tanh"},
    nn.Softplus(): {"exp", "log1p"},
    nn.Mish(): {"exp", "log1p", "tanh", "sigmoid"},
}
"""And what each computes of every number, once for value and gradient together."""


class ValueAndGradient:
    """Of a perceptron 2-16-16-1."""

    def __init__(self, activation: nn.Module) -> None:
        torch.manual_seed(0)
        self.net = nn.Sequential(
            nn.Linear(2, 16), activation, nn.Linear(16, 16), activation, nn.Linear(16, 1)
        ).double()

    def __call__(self, x: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        named = {name: weight for (name, _), weight in zip(self.net.named_parameters(), weights, strict=True)}
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            value = torch.func.functional_call(self.net, named, (x,))
            (gradient,) = torch.autograd.grad(value.sum(), x)
        return value.detach(), gradient

    def inputs(self) -> tuple[Tensor, ...]:
        x = torch.randn(50, 2, dtype=torch.float64) * 10
        return x, *(each.detach() for each in self.net.parameters())


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_both_passes_share_what_an_activation_computes(activation: nn.Module) -> None:
    function = ValueAndGradient(activation)
    inputs = function.inputs()
    graph = followed(function, inputs)
    calls = Counter(
        str(node.target).split(".")[1] for node in graph.graph.nodes if node.op == "call_function"
    )
    for name in ("sigmoid", "erf", "exp", "log1p", "tanh"):
        assert calls[name] == (2 if name in ACTIVATIONS[activation] else 0)
    for found, exact in zip(graph(*inputs), function(*inputs), strict=True):
        assert torch.allclose(found, exact, rtol=1e-12, atol=1e-14)


def test_products_with_few_terms_need_no_library() -> None:
    function = ValueAndGradient(nn.SiLU())
    graph = followed(function, function.inputs())
    ShapeProp(graph).propagate(*function.inputs())
    products = [
        node for node in graph.graph.nodes if str(node.target) in ("aten.mm.default", "aten.addmm.default")
    ]
    terms = [node.args[-1].meta["tensor_meta"].shape[0] for node in products]
    # Forward: what the second and the last layer see; backward: what the second and the first one give.
    # Not the two numbers that the first one sees, nor the one that the last one gives.
    assert terms == [16, 16, 16, 16]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_native_code_takes_inputs_however_they_lie_in_memory() -> None:
    function = ValueAndGradient(nn.SiLU())
    inputs = function.inputs()
    with torch.no_grad():
        native = compiled(function, inputs)
        exact = function(*inputs)
        for x in (inputs[0], inputs[0].t().clone().t(), torch.stack((inputs[0], inputs[0]), 1)[:, 0]):
            for found, true in zip(native(x, *inputs[1:]), exact, strict=True):
                assert torch.allclose(found, true, rtol=1e-12, atol=1e-14)
