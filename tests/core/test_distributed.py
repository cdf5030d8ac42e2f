"""What crosses between processes, against the same in one."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import (
    Chain,
    Energy,
    EnergyFn,
    Info,
    Position,
    Rng,
    Sampler,
    Source,
    State,
    World,
    contrastive_divergence,
    gather,
    pairwise_contrast,
    reconstruction_loss,
    shard,
    shared_mean,
    shared_sum,
    value_and_gradient,
    world,
)
from ebmkit.training.batches import Batches
from ebmkit.training.loop import Experiment, Learner, train
from ebmkit_convnets.layers import up_convolutions
from ebmkit_coopnets.descriptor_only import DescriptorOnly
from ebmkit_coopnets.shifting import DensityShift
from ebmkit_optim.sgd import SGD
from tests.processes import run_processes


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 5, 64])
def test_the_shares_are_the_whole_in_order_and_even(size: int, count: int) -> None:
    rows = [World(rank, size).rows(count) for rank in range(size)]
    assert [row for part in rows for row in range(part.start, part.stop)] == list(range(count))
    lengths = {part.stop - part.start for part in rows}
    assert max(lengths) - min(lengths) <= 1


def test_alone_everything_is_what_it_was_given() -> None:
    x = torch.randn(3, 2)
    assert world() == World(0, 1)
    assert gather(x) is x
    assert shared_sum(x) is x
    assert torch.equal(shared_mean(x[:, 0]), x[:, 0].mean())
    assert shard(5, Rng(3))[0] == 5


def numbers(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def learned(first: int, last: int) -> dict[str, Tensor]:
    """Losses, gradients and batch statistics from the rows first..last of 7; of 7 and 2 for two sets."""
    energies = numbers(7, seed=0)[first:last].requires_grad_()
    samples = numbers(2, seed=1)[first // 3 : last // 3].requires_grad_()
    torch.manual_seed(0)
    layers = nn.ModuleDict(
        {
            name: up_convolutions((4, 3, 2), 3, "batch", 0.1, axes=axes).double().train()
            for name, axes in (("images", 2), ("sequences", 1))
        }
    )
    layers["rows"] = nn.Linear(4, 3).double()
    losses = {
        "contrastive_divergence": contrastive_divergence(energies, samples),
        "pairwise_contrast": pairwise_contrast(energies, samples, width=0.7),
    }
    # Of the two samples the penalty sees the first alone: the second process has none to penalise.
    slopes = DensityShift(gradient_penalty=0.2, revised_penalty=0.3, penalty_stride=4)
    losses["slopes"] = slopes(
        lambda x: layers["rows"](x).square().sum(1),
        numbers(7, 4, seed=4)[first:last],
        numbers(2, 4, seed=5)[first // 3 : last // 3],
        rng=Rng(0, first_chain=first),
        revised_rng=Rng(0, first_chain=first // 3),
    ).loss
    for name, axes in (("images", 2), ("sequences", 1)):
        x = numbers(7, 4, *[5] * axes, seed=2)[first:last]
        target = numbers(7, 2, *[20] * axes, seed=3)[first:last]
        losses[name] = reconstruction_loss(target, layers[name](x), noise_std=0.5)
    sum(losses.values()).backward()  # type: ignore[union-attr]
    figures = {name: loss.detach() for name, loss in losses.items()}
    figures |= {f"gradient {name}": each.grad for name, each in layers.named_parameters()}  # type: ignore[misc]
    figures |= {f"buffer {name}": each for name, each in layers.named_buffers()}
    return figures | {"energies": energies.grad, "samples": samples.grad}  # type: ignore[dict-item]


class Normalised(Energy):
    """An energy with a batch normalisation, whose statistics processes must share while they learn."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = up_convolutions((1, 3, 1), 3, "batch", 0.1, axes=2)

    def forward(self, x: Tensor) -> Tensor:
        return x.square().flatten(1).sum(1) - self.layers(x).flatten(1).sum(1)


class Uneven(Sampler):
    """Takes another number of gradients for every first chain, as adaptive samplers do."""

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[State, Info]:
        x = state.x
        for _ in range(1 + 3 * rng.first_chain):
            x = x - 0.01 * value_and_gradient(energy, x).gradient
        return Position(x), {}


class Ones(Source):
    """Example i is full of i."""

    shape = (1, 4, 4)

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: Tensor) -> Tensor:
        return index[:, None, None, None].float().expand(-1, *self.shape)


def trained_unevenly() -> dict[str, Tensor]:
    """The state after three iterations with that energy and that sampler."""
    torch.manual_seed(0)
    schedule = DescriptorOnly(Normalised(), Chain(Uneven(), 2), (1, 4, 4), chains=5)
    learners = {"energy": Learner(schedule.energy, SGD(lr=1e-3))}
    batches = Batches(Ones(), size=3, rng=Rng(1), device=torch.device("cpu"))
    assert len(list(train(Experiment(schedule, learners, batches, Rng(0)), iterations=3))) == 3
    return schedule.state_dict()


# One process has three rows of seven and one of two samples; the second the rest; uneven on purpose.
LEARN = """
import io, sys, torch
from torch import distributed
from ebmkit.core import Rng, gather, shard, world
from ebmkit.core.distributed import average, largest, same_everywhere
from tests.core.test_distributed import learned, trained_unevenly
from ebmkit.errors import TrainingError
from ebmkit.run.processes import Crew

distributed.init_process_group("gloo")
rank = world().rank
figures = learned(*[(0, 3), (3, 7)][rank])
out = {}
for name, value in figures.items():
    out[name] = gather(value) / 2 if name in ("energies", "samples") else average(value.double())
count, rng = shard(7, Rng(5))
out["rows"] = gather(rng.normal(torch.empty(count, 3)))
out["none"] = gather(torch.arange(2.0 * rank)[:, None])
out["same"] = torch.tensor(same_everywhere([torch.ones(3), torch.tensor([1.0, rank]), torch.tensor(True)]))
out["largest"] = largest(torch.tensor([[1.0, torch.nan], [2.0, 0.0]][rank]))
out["drift"] = torch.tensor(0)
try:
    Crew(world()).refuse_drift({"kept": torch.ones(2), "moved": torch.ones(2) * rank})
except TrainingError as error:
    out["drift"] = torch.tensor("1 tensors, 'moved'" in str(error))
for name, value in trained_unevenly().items():
    out[f"uneven {name}"] = value
stream = io.BytesIO()
torch.save(out, stream)
print(stream.getvalue().hex())
distributed.destroy_process_group()
"""


@pytest.fixture(scope="module")
def crossed() -> list[dict[str, Tensor]]:
    here = Path(__file__).parents[2]
    outputs = run_processes(["-c", LEARN], here)
    return [torch.load(io.BytesIO(bytes.fromhex(out))) for out in outputs]


def test_losses_gradients_and_batch_statistics_are_those_of_all_rows(
    crossed: list[dict[str, Tensor]],
) -> None:
    whole = learned(0, 7)
    for name, value in whole.items():
        torch.testing.assert_close(crossed[0][name], value.double(), rtol=1e-6, atol=1e-8, msg=name)
        assert torch.equal(crossed[0][name], crossed[1][name]), name


def test_the_noise_of_all_shares_is_that_of_one_process(crossed: list[dict[str, Tensor]]) -> None:
    expected = Rng(5).normal(torch.empty(7, 3))
    assert all(torch.equal(each["rows"], expected) for each in crossed)


def test_a_process_may_have_no_rows(crossed: list[dict[str, Tensor]]) -> None:
    assert crossed[0]["none"].tolist() == [[0.0], [1.0]]


def test_other_bits_and_other_numbers_are_seen_by_all(crossed: list[dict[str, Tensor]]) -> None:
    for each in crossed:
        assert each["same"].tolist() == [True, False, True]
        assert each["largest"].tolist() == [2.0, torch.inf]


def test_a_sampler_may_take_any_number_of_gradients_on_each_process(
    crossed: list[dict[str, Tensor]],
) -> None:
    names = [name for name in crossed[0] if name.startswith("uneven")]
    assert len(names) > 10
    for name in names:
        assert torch.equal(crossed[0][name], crossed[1][name]), name
    assert crossed[0]["uneven energy.layers.0.num_batches_tracked"] == 6


def test_state_that_drifts_apart_is_named(crossed: list[dict[str, Tensor]]) -> None:
    assert all(each["drift"] == 1 for each in crossed)
