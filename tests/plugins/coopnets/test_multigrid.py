from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import (
    Annealing,
    Batch,
    Chain,
    CooperativeScheduler,
    Energy,
    EnergyFn,
    Examples,
    Info,
    LossAugmentation,
    Ramp,
    Rng,
    Sampler,
    State,
)
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_convnets.generator import ConvGenerator
from ebmkit_coopnets.coopnets import CoopNets
from ebmkit_coopnets.descriptor_only import DescriptorOnly
from ebmkit_coopnets.multigrid import MultiGrid
from ebmkit_coopnets.resizing import enlarge, shrink
from ebmkit_langevin.langevin import Langevin
from tests.conftest import RUN_FILES, Ebmkit
from tests.models import double
from tests.plugins.coopnets.linear import one_iteration

SHAPE = (1, 8, 8)


class Still(Sampler):
    """A sampler without a temperature."""

    def step(self, energy: EnergyFn, state: State, rng: Rng) -> tuple[State, Info]:
        return state, {}


def descriptor(side: int = 8) -> ConvDescriptor:
    torch.manual_seed(side)
    layers: dict[str, Any] = {"channels": (4,), "kernels": (3,), "strides": (1,), "outputs": 1}
    return ConvDescriptor((1, side, side), reference_std=0.3, **layers)


def generator() -> ConvGenerator:
    torch.manual_seed(0)
    return ConvGenerator(SHAPE, latents=2, channels=(4,))


def revision(steps: int = 3) -> Chain:
    return Chain(Langevin(step_size=0.05), steps)


def batch(seed: int = 7) -> Batch:
    return Batch(double(5, *SHAPE, seed=seed).float(), torch.arange(5))


def multigrid(*sides: int, made: ConvGenerator | None = None, **options: Any) -> MultiGrid:
    grids = {str(side): descriptor(side) for side in sides}
    return MultiGrid(grids, revision(), SHAPE, made, **{"chains": 6} | options)


def trained(schedule: CooperativeScheduler) -> Examples:
    """Three iterations of plain gradient steps; the sets of the last one."""
    for key in range(3):
        turn = schedule.updates(batch(seed=key), rng=Rng(key))
        while True:
            try:
                update = next(turn)
            except StopIteration as end:
                made: Examples = end.value
                break
            weights = list(schedule.get_submodule(update.part).parameters())
            gradients = torch.autograd.grad(update.loss, weights)  # type: ignore[arg-type]
            with torch.no_grad():
                for weight, gradient in zip(weights, gradients, strict=True):
                    weight.sub_(1e-3 * gradient)
    return made


def assert_same(one: nn.Module | Examples, other: nn.Module | Examples) -> None:
    pairs = [
        each.state_dict()
        if isinstance(each, nn.Module)
        else {k: v for k, v in each._asdict().items() if v is not None}
        for each in (one, other)
    ]
    assert pairs[0].keys() == pairs[1].keys()
    assert all(torch.equal(pairs[0][name], pairs[1][name]) for name in pairs[0])


HELPS: list[dict[str, Any]] = [
    {},
    {
        "annealing": Annealing(steps=Ramp(end=2.0, over=2), step_size=Ramp(end=0.5, after=1)),
        "augmentation": LossAugmentation(translation=2, brightness=0.1, cutout=0.3),
        "data_noise": 0.1,
        "energy_l2": 0.01,
    },
    {"noise_until": 2},
]


@pytest.mark.parametrize("helps", HELPS)
def test_one_grid_from_noise_is_the_short_run_descriptor_bit_for_bit(helps: dict[str, Any]) -> None:
    alone = DescriptorOnly(
        descriptor(), revision(), SHAPE, chains=6, persistent=False, noise_std=0.4, **helps
    )
    one = multigrid(8, start="noise", noise_std=0.4, **helps)
    assert_same(trained(alone), trained(one))
    assert_same(alone.energy, one.energy)


@pytest.mark.parametrize("helps", HELPS)
def test_one_grid_with_a_generator_is_coopnets_bit_for_bit(helps: dict[str, Any]) -> None:
    alone = CoopNets(descriptor(), generator(), revision(), chains=6, **helps)
    one = multigrid(8, made=generator(), **helps)
    assert_same(trained(alone), trained(one))
    assert_same(alone.energy, one.energy)
    assert one.generator is not None
    assert_same(alone.generator, one.generator)
    assert_same(alone.sample(4, rng=Rng(9)), one.sample(4, rng=Rng(9)))


def test_every_chain_is_annealed_and_a_shift_is_of_as_many_pixels_as_the_grid_has() -> None:
    steps = Annealing(steps=Ramp(start=1.0, end=2.0, after=1))
    grids = {"4": descriptor(4), "8": descriptor(8)}
    own = {"4": revision(5)}
    law = LossAugmentation(translation=2, cutout=0.3)
    schedule = MultiGrid(grids, revision(), SHAPE, None, own, chains=6, annealing=steps, augmentation=law)
    assert [each.augmentation for each in schedule.shifting.values()] == [
        LossAugmentation(translation=1, cutout=0.3),
        law,
    ]
    trained(schedule)
    assert int(schedule.annealing.done) == 3
    assert [chain.steps for chain in schedule.annealing.each(schedule.steps).values()] == [10, 6]
    with pytest.raises(ValueError, match="no parameter temperature"):
        MultiGrid(
            grids,
            revision(),
            SHAPE,
            None,
            {"4": Chain(Still(), 1)},
            annealing=Annealing(temperature=Ramp(end=0.5)),
        )


def test_states_from_before_there_was_annealing_count_from_0() -> None:
    state = multigrid(4, 8).state_dict()
    del state["annealing.done"]
    schedule = multigrid(4, 8)
    trained(schedule)
    schedule.load_state_dict(state)
    assert int(schedule.annealing.done) == 0


def test_the_update_of_a_grid_leaves_the_other_energies_alone() -> None:
    schedule = multigrid(2, 4, 8, made=generator())
    seen = []
    for update in schedule.updates(batch(), rng=Rng(0)):
        schedule.zero_grad()
        assert update.loss is not None
        update.loss.backward()  # type: ignore[no-untyped-call]
        reached = {
            name.rpartition(".")[0] for name, each in schedule.named_parameters() if each.grad is not None
        }
        assert {name for name in reached if not name.startswith(update.part)} == set()
        assert reached
        seen.append(update.part)
    assert seen == ["grids.2", "grids.4", "grids.8", "generator"]


class Towards(Energy):
    """E(x) = |x - m|^2 / 2: one step of descent with δ = √2 ends at m."""

    def __init__(self, goal: Tensor) -> None:
        super().__init__()
        self.goal = nn.Parameter(goal)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.goal).flatten(1).square().sum(1) / 2


def leaping(made: ConvGenerator | None, goal: Tensor, **options: Any) -> MultiGrid:
    """On the coarse grid chains go to the goal; on the fine one they stand still."""
    grids = {"8": descriptor(), "4": Towards(goal)}
    leap = Chain(Langevin(step_size=2**0.5, noise=False), 1)
    return MultiGrid(grids, revision(0), SHAPE, made, {"4": leap}, chains=6, **options)


@pytest.mark.parametrize("how", ["nearest", "bilinear"])
def test_a_grid_starts_from_the_revised_image_of_the_coarser_one(how: str) -> None:
    goal = double(1, 4, 4, seed=3).float()
    _, made = one_iteration(leaping(None, goal, enlarge=how), batch())
    assert made.proposal is not None
    expected = enlarge(goal[None], (8, 8), how)  # type: ignore[arg-type]
    assert torch.allclose(made.proposal, expected.expand(6, 1, 8, 8), atol=1e-6)
    assert made.latents is None


def test_a_proposal_keeps_its_details_on_what_the_coarser_grid_made_of_it() -> None:
    goal = double(1, 4, 4, seed=3).float()
    schedule = leaping(generator(), goal)
    _, made = one_iteration(schedule, batch())
    assert made.proposal is not None
    assert torch.allclose(shrink(made.proposal, (4, 4)), goal.expand(6, 1, 4, 4), atol=1e-6)
    x = schedule.generator(made.latents)  # type: ignore[misc]
    details = x - enlarge(shrink(x, (4, 4)), (8, 8))
    assert details.abs().max() > 1e-3
    assert torch.allclose(made.proposal - enlarge(shrink(made.proposal, (4, 4)), (8, 8)), details, atol=1e-6)


def test_colours_come_from_the_fit_or_from_the_images_of_the_batch() -> None:
    data = batch()
    means = data.x.mean((1, 2, 3))
    starts = {}
    for start in ("colours", "data"):
        schedule = MultiGrid({"8": descriptor()}, revision(0), SHAPE, chains=7, start=start)  # type: ignore[arg-type]
        _, made = one_iteration(schedule, data)
        assert made.proposal is not None
        assert torch.equal(made.proposal, made.proposal[:, :, :1, :1].expand_as(made.proposal))
        starts[start] = made.proposal[:, 0, 0, 0]
    assert torch.allclose(starts["data"], means[torch.arange(7) % 5])
    noise = Rng(0).fold_in("start").normal(torch.empty(7))
    assert torch.allclose(starts["colours"], means.mean() + means.std(correction=0) * noise, atol=1e-6)


def test_new_samples_are_drawn_as_in_training() -> None:
    for schedule in (multigrid(2, 8), multigrid(4, 8, enlarge="bilinear", start="noise")):
        _, made = one_iteration(schedule, batch(), key=4)
        assert_same(schedule.sample(6, rng=Rng(4)), made._replace(observed=None))


def test_what_is_saved_and_what_is_told() -> None:
    schedule = multigrid(4, 8)
    updates, _ = one_iteration(schedule, batch())
    buffers = {name for name, _ in schedule.named_buffers()}
    assert buffers == {"colours.count", "colours.total", "colours.products", "annealing.done"}
    assert {name.split(".")[1] for name in schedule.state_dict() if name.startswith("grids.")} == {"4", "8"}
    coarse, fine = (update.stats for update in updates)
    assert {f"grid_4_{name}" for name in fine} == coarse.keys()
    assert "energy_gap" in fine


def test_the_chain_of_a_grid_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^\[revisions\.2\] is the chain of a grid that there is not$"):
        multigrid(4, 8, revisions={"2": revision()})


def test_grids_are_built_for_their_images_and_misfits_told_at_the_table(
    run_file: Callable[[str], Path], ebmkit: Ebmkit
) -> None:
    shapes = MultiGrid.shapes((3, 16, 32), ["revision", "grids.16", "grids.4", "revisions.4"])
    assert shapes == {"grids.4": (3, 4, 8), "grids.16": (3, 16, 32)}
    file = run_file("multigrid")
    file.write_text(
        file.read_text().replace("[grids.4]", "[grids.5]").replace("[revisions.4]", "[revisions.5]")
    )
    outcome = ebmkit("check", file)
    assert outcome.code == 2
    assert "refuses these parts: images of 16x16 pixels have no whole cells on the grid '5'" in outcome.err
    line = RUN_FILES["multigrid"].partition("[schedule]")[0].count("\n") + 1
    assert f"multigrid.toml:{line}:" in outcome.err
