"""Averaged weights against the sum that defines them, and batch statistics against those of the draws."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from ebmkit.core import LatentGenerator, Rng
from ebmkit.core.averaging import AveragedWeights, re_estimate
from tests.models import double


def followed(values: Tensor, decay: float) -> AveragedWeights:
    """The average after the weight of a linear map took these values, one update each."""
    net = nn.Linear(1, 1, bias=False, dtype=values.dtype)
    average = AveragedWeights(net, decay=decay)
    for value in values:
        nn.init.constant_(net.weight, float(value))
        average.update()
    return average


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("count", [1, 2, 50])
def test_it_is_the_sum_that_defines_it(decay: float, count: int) -> None:
    values = double(count)
    weights = decay ** torch.arange(count - 1, -1, -1, dtype=torch.float64)
    assert followed(values, decay).values["weight"].item() == pytest.approx(
        float((weights * values).sum() / weights.sum()), rel=1e-12
    )


def test_weights_that_stand_still_are_their_average_from_the_first_update_on() -> None:
    """What an average that starts at the initial weights, or at 0, gets wrong."""
    for count in (1, 3, 100):
        assert followed(torch.full((count,), 3.25), 0.9).values["weight"].item() == 3.25


class Normed(LatentGenerator):
    """Two layers, with all that must not be averaged: batch norms, and the vectors of a spectral norm."""

    latent_shape = (3,)
    noise_std = 0.3

    def __init__(self) -> None:
        super().__init__()
        first = parametrizations.spectral_norm(nn.Linear(3, 5))
        self.layers = nn.Sequential(
            first, nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 4), nn.BatchNorm1d(4)
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


def normed() -> Normed:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Normed()


def learned(net: nn.Module, average: AveragedWeights, steps: int = 5) -> None:
    """Some updates that move every parameter and every buffer."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        for step in range(steps):
            optimizer.zero_grad()
            net(double(16, 3, seed=step).float()).square().sum().backward()
            optimizer.step()
            average.update()


def copied(net: nn.Module) -> dict[str, Tensor]:
    return {name: each.clone() for name, each in net.state_dict().items()}


def test_only_parameters_are_averaged_and_all_comes_back_to_the_bit() -> None:
    net = normed()
    average = AveragedWeights(net, decay=0.9)
    learned(net, average)
    before = copied(net)
    assert set(average.values) == {name for name, _ in net.named_parameters()}
    with average.swapped_in():
        for name, buffer in net.named_buffers():
            assert torch.equal(buffer, before[name])
        for name, parameter in net.named_parameters():
            assert torch.equal(parameter, average.values[name])
            assert not torch.equal(parameter, before[name])
        vector = dict(net.named_buffers())["layers.0.parametrizations.weight.0._u"]
        assert vector.norm().item() == pytest.approx(1.0, abs=1e-5)
        re_estimate(net, rng=Rng(0))
    assert all(torch.equal(each, before[name]) for name, each in net.state_dict().items())


def test_weights_come_back_from_a_block_that_fails() -> None:
    net = normed()
    average = AveragedWeights(net, decay=0.9)
    learned(net, average)
    before = copied(net)
    with pytest.raises(ZeroDivisionError), average.swapped_in():
        1 / 0  # noqa: B018
    assert all(torch.equal(each, before[name]) for name, each in net.state_dict().items())


def test_before_the_first_update_the_weights_stay() -> None:
    net = normed()
    average = AveragedWeights(net, decay=0.9)
    nn.init.constant_(net.layers[4].bias, 7.0)
    with average.swapped_in():
        assert (net.layers[4].bias == 7).all()


def test_frozen_parameters_are_left_alone() -> None:
    net = normed()
    net.layers[4].weight.requires_grad_(False)
    assert "layers.4.weight" not in AveragedWeights(net, decay=0.9).values


def test_what_is_remembered_goes_on_to_the_bit() -> None:
    whole, cut = normed(), normed()
    through, first = AveragedWeights(whole, decay=0.9), AveragedWeights(cut, decay=0.9)
    learned(whole, through, 4)
    learned(cut, first, 4)
    second = AveragedWeights(cut, decay=0.9)
    second.load_state_dict({name: value.clone() for name, value in first.state_dict().items()})
    learned(whole, through, 3)
    learned(cut, second, 3)
    assert second.updates == through.updates == 7
    assert all(torch.equal(value, second.values[name]) for name, value in through.values.items())


def test_a_state_of_other_weights_is_refused() -> None:
    average = AveragedWeights(nn.Linear(2, 3), decay=0.9)
    with pytest.raises(KeyError, match=r"of other parameters: of\.bias"):
        average.load_state_dict(AveragedWeights(nn.Linear(2, 3, bias=False), decay=0.9).state_dict())
    with pytest.raises(ValueError, match="of another shape: weight"):
        average.load_state_dict(AveragedWeights(nn.Linear(4, 3), decay=0.9).state_dict())


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_out_of_its_range_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match=r"in \[0, 1\), not"):
        AveragedWeights(nn.Linear(1, 1), decay=decay)


def test_batch_statistics_are_those_of_the_latents() -> None:
    """By hand: each batch of 64 is normalised by itself, the statistics are averaged over the four."""
    net = normed().double()
    learned(net.float(), AveragedWeights(net, decay=0.9))
    net.double().train()
    weights = copied(net)
    re_estimate(net, rng=Rng(4))
    assert all(each.training for each in net.modules())

    lower, upper = [], []
    first, norm, _, _, last, _ = net.eval().layers
    for z in net.prior(256, rng=Rng(4)).split(64):
        a = first(z)
        lower.append((a.mean(0), a.var(0)))
        a = (a - a.mean(0)) / (a.var(0, unbiased=False) + norm.eps).sqrt() * norm.weight + norm.bias
        b = last(a.relu())
        upper.append((b.mean(0), b.var(0)))
    for place, found in ((1, lower), (5, upper)):
        for name, each in zip(("running_mean", "running_var"), zip(*found, strict=True), strict=True):
            statistic = getattr(net.layers[place], name)
            assert torch.allclose(statistic, torch.stack(each).mean(0), rtol=1e-10)
            assert not torch.allclose(statistic, weights[f"layers.{place}.{name}"], rtol=1e-2)
    for name, each in net.named_parameters():
        assert torch.equal(each, weights[name])


def test_a_generator_in_use_gives_what_its_draws_have_on_average() -> None:
    """Outputs of the last batch norm have its bias as mean, to 5 standard errors of 256 and 4,096 draws."""
    net = normed()
    with torch.no_grad():
        net.layers[5].bias.copy_(torch.tensor([1.0, -2.0, 0.5, 0.0]))
    re_estimate(net, rng=Rng(5))
    x = net.eval()(net.prior(4096, rng=Rng(6)))
    spread = 5 * (1 / 4096 + 1 / 256) ** 0.5
    assert torch.all((x.mean(0) - net.layers[5].bias).abs() < spread * x.std(0))
