from __future__ import annotations

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from ebmkit.core import Rng, Sampler, run_chain
from ebmkit.core.graph.stride import Form, Strides, stride_length
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_langevin.langevin import Langevin
from tests.core.graph.chains import SAMPLERS, descriptor
from tests.models import double


@pytest.mark.parametrize("inside", [True, False], ids=["drawn inside", "given"])
@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_a_stride_is_its_steps_wherever_its_numbers_are_drawn(sampler: Sampler, inside: bool) -> None:
    """Inside is the way of a GPU, given that of a CPU."""
    energy, x, rng = descriptor(), double(6, 4, seed=1), Rng(3, first_chain=9)
    with torch.no_grad():
        state = sampler.init(energy, x)
        form = Form.found(sampler, energy, state, steps=20, inside=inside)
        function = Strides(sampler, energy, form)
        for random in form.random(rng, 80, x.device):
            state = form.outputs(function(*random, *state, energy.weight.detach())).state
    assert torch.equal(state.x, run_chain(sampler, energy, x, steps=80, rng=rng).x)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_strides_ask_the_host_for_nothing(sampler: Sampler) -> None:
    """Traced without data: a number that had to be read, or a tensor made on another device, would fail."""
    energy = ConvDescriptor((1, 8, 8), channels=(4,), kernels=(3,), strides=(1,), reference_std=0.5).eval()
    x = Rng(0).normal(torch.empty(3, 1, 8, 8))
    with torch.no_grad():
        state = sampler.init(energy, x)
        form = Form.found(sampler, energy, state, steps=2, inside=True)
        function = Strides(sampler, energy, form)
        words = next(form.random(Rng(0), 2, x.device))
        weights = (each.detach() for each in energy.parameters())
        traced = make_fx(function, tracing_mode="fake")(*words, *state, *weights)
    called = {str(node.target) for node in traced.graph.nodes if node.op == "call_function"}
    assert "aten.convolution.default" in called
    assert not {name for name in called if "local_scalar" in name or "lift_fresh" in name}


def test_a_stride_is_the_longest_of_twenty_steps_at_most_that_divides_a_chain() -> None:
    for steps in range(1, 200):
        length = stride_length(steps)
        assert steps % length == 0
        assert not [longer for longer in range(length + 1, 21) if steps % longer == 0]
        assert 1 <= length <= 20


@pytest.mark.parametrize("inside", [True, False], ids=["drawn inside", "given"])
def test_what_is_random_comes_a_stride_at_a_time(inside: bool) -> None:
    """However many strides are drawn together, the numbers are those of their steps."""
    energy, x = descriptor(), double(6, 4, seed=1)
    sampler = Langevin(step_size=0.3)
    form = Form.found(sampler, energy, sampler.init(energy, x), steps=5, inside=inside)
    assert form.weights == ("weight",)
    strides = list(form.random(Rng(3), 15, x.device))
    assert len(strides) == 3
    for number, random in enumerate(strides):
        for step, rng in enumerate(form.streams(random)):
            exact = Rng(3).fold_in("step", 5 * number + step).normal(x)
            assert torch.equal(rng.normal(x), exact)


def test_the_last_evaluation_that_took_a_gradient_is_told() -> None:
    energy, x = descriptor(), double(6, 4, seed=1)
    sampler = Langevin(step_size=0.3, noise=False)
    with torch.no_grad():
        state = sampler.init(energy, x)
        form = Form.found(sampler, energy, state, steps=3, inside=False)
        found = form.outputs(Strides(sampler, energy, form)(*state, energy.weight.detach()))
        before_last = run_chain(sampler, energy, x, steps=2, rng=Rng(0)).x
    assert found.evaluation is not None
    assert torch.equal(found.evaluation.x, before_last)
    assert torch.equal(found.evaluation.value, energy(before_last))
    assert found.evaluation.gradient is not None
    assert torch.allclose(found.evaluation.gradient, before_last / 0.5**2 - energy.weight)
    assert found.start_energy is not None
    assert torch.equal(found.start_energy, energy(x))
