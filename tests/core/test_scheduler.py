from __future__ import annotations

import copy
import io
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import (
    Batch,
    Chain,
    CooperativeScheduler,
    Encoder,
    Energy,
    Examples,
    Gaussian,
    LatentGenerator,
    Proposal,
    Rng,
    Update,
    Updates,
    run_chain,
)
from ebmkit_convnets.generator import ConvGenerator
from ebmkit_coopnets.coopnets import CoopNets
from ebmkit_coopnets.descriptor_only import DescriptorOnly
from ebmkit_coopnets.generator_only import GeneratorOnly
from ebmkit_langevin.langevin import Langevin
from tests.models import LinearDescriptor, LinearGenerator, double

ATTRIBUTES = ("energy", "generator", "encoder", "revision", "inference")


class Halved(Encoder):
    """μ = w x of the first two numbers, s = 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Gaussian:
        return Gaussian(self.weight * x[:, :2], torch.zeros_like(x[:, :2]))


class Bare(CooperativeScheduler):
    """Has nothing; its samples start at N(0, I)."""

    def updates(self, batch: Batch, *, rng: Rng) -> Updates:
        yield from self.nothing()
        return Examples(batch.x)

    def nothing(self) -> Iterator[Update]:
        return iter(())

    def propose(self, count: int, *, rng: Rng) -> Proposal:
        return Proposal(rng.normal(torch.empty(count, 4, dtype=torch.float64)))


class Full(Bare):
    """Has everything, and takes the parts in another order than the attributes are declared in."""

    def __init__(self, energy: Energy, generator: LatentGenerator, encoder: Encoder, chain: Chain) -> None:
        super().__init__()
        self.inference = chain
        self.encoder = encoder
        self.generator = generator
        self.revision = chain
        self.energy = energy


class Grids(Bare):
    """Several energies, of which one stands for the schedule."""

    def __init__(self, *energies: Energy) -> None:
        super().__init__()
        self.grids = nn.ModuleList(energies)

    @property
    def energy(self) -> Energy:  # type: ignore[override]
        return self.grids[-1]  # type: ignore[return-value]


def chain(steps: int = 3) -> Chain:
    return Chain(Langevin(step_size=0.3), steps)


def energy() -> LinearDescriptor:
    return LinearDescriptor(double(4), 0.5)


def generator() -> LinearGenerator:
    return LinearGenerator(double(4, 2, seed=1), double(4, seed=2), 0.3)


def full() -> Full:
    return Full(energy(), generator(), Halved(), chain())


def test_what_a_schedule_does_not_have_is_none() -> None:
    bare = Bare()
    assert [getattr(bare, name) for name in ATTRIBUTES] == [None] * 5
    assert bare.state_dict() == {}
    assert list(bare.children()) == []


def test_what_it_has_is_what_it_was_given() -> None:
    parts = energy(), generator(), Halved()
    schedule = Full(*parts, chain())
    assert (schedule.energy, schedule.generator, schedule.encoder) == parts
    assert schedule.revision == schedule.inference == chain()


def test_the_shipped_schedules_have_what_their_algorithms_use() -> None:
    given = {
        CoopNets(energy(), generator(), chain()): {"energy", "generator", "revision"},
        CoopNets(energy(), generator(), chain(), chain()): {"energy", "generator", "revision", "inference"},
        DescriptorOnly(energy(), chain(), (4,)): {"energy", "revision"},
        GeneratorOnly(generator(), chain(), 3): {"generator", "inference"},
    }
    for schedule, names in given.items():
        assert {name for name in ATTRIBUTES if getattr(schedule, name) is not None} == names


def test_parts_are_children_in_the_order_they_were_set() -> None:
    schedule = full()
    assert [name for name, _ in schedule.named_children()] == ["encoder", "generator", "energy"]
    names = ["encoder.weight", "generator.matrix", "generator.bias", "energy.weight"]
    assert list(schedule.state_dict()) == names
    assert [name for name, _ in schedule.named_parameters()] == names


def test_parts_move_copy_and_save_with_the_schedule() -> None:
    schedule = full()
    moved = copy.deepcopy(schedule).to(torch.float64)
    assert moved.encoder is not None
    assert moved.encoder is not schedule.encoder
    assert {each.dtype for each in moved.encoder.parameters()} == {torch.float64}
    assert schedule.encoder is not None
    assert {each.dtype for each in schedule.encoder.parameters()} == {torch.float32}
    written = io.BytesIO()
    torch.save(schedule, written)
    written.seek(0)
    read = torch.load(written, weights_only=False)
    assert torch.equal(read.energy.weight, energy().weight)
    assert read.inference == chain()
    fresh = full()
    with torch.no_grad():
        schedule.energy.weight.add_(1)  # type: ignore[union-attr, operator]
    fresh.load_state_dict(schedule.state_dict())
    assert torch.equal(fresh.energy.weight, energy().weight + 1)  # type: ignore[union-attr]


def test_a_part_may_be_replaced_and_taken_away() -> None:
    schedule = full()
    other = energy()
    schedule.energy = other
    assert schedule.energy is other
    del schedule.energy
    assert schedule.energy is None
    schedule.energy = None
    assert schedule.energy is None
    assert "energy.weight" not in schedule.state_dict()
    schedule.energy = other
    assert schedule.energy is other
    assert "energy.weight" in schedule.state_dict()


def test_a_schedule_may_offer_one_of_its_children_under_a_name_that_is_no_child() -> None:
    coarse, fine = energy(), energy()
    schedule = Grids(coarse, fine)
    assert schedule.energy is fine
    assert list(schedule.state_dict()) == ["grids.0.weight", "grids.1.weight"]
    assert schedule.sample(2, rng=Rng(0)).revised is None


def test_what_no_schedule_has_is_still_an_error() -> None:
    with pytest.raises(AttributeError, match="'Bare' object has no attribute 'descriptor'"):
        _ = Bare().descriptor


def test_samples_are_proposed_and_then_revised_under_the_energy() -> None:
    schedule = CoopNets(energy(), generator(), chain(5))
    made = schedule.sample(6, rng=Rng(3))
    proposal = schedule.propose(6, rng=Rng(3))
    revised = run_chain(chain().sampler, energy(), proposal.x, steps=5, rng=Rng(3).fold_in("revision")).x
    assert made.observed is None
    assert torch.equal(made.proposal, proposal.x)  # type: ignore[arg-type]
    assert torch.equal(made.latents, proposal.z)  # type: ignore[arg-type]
    assert torch.equal(made.revised, revised)  # type: ignore[arg-type]
    assert not any(each.requires_grad for each in made if each is not None)


def test_the_number_of_steps_may_be_another() -> None:
    schedule = CoopNets(energy(), generator(), chain(5))
    made = schedule.sample(6, rng=Rng(3), steps=0)
    assert torch.equal(made.revised, made.proposal)  # type: ignore[arg-type]
    shorter = CoopNets(energy(), generator(), chain(2)).sample(6, rng=Rng(3))
    assert torch.equal(schedule.sample(6, rng=Rng(3), steps=2).revised, shorter.revised)  # type: ignore[arg-type]


def test_without_an_energy_or_a_chain_nothing_is_revised() -> None:
    made = GeneratorOnly(generator(), chain(), 3).sample(2, rng=Rng(0))
    assert made.revised is None
    assert made.latents is not None
    assert torch.equal(generator()(made.latents), made.proposal)  # type: ignore[arg-type]
    assert Bare().sample(2, rng=Rng(0)).revised is None


def test_sampling_in_two_parts_gives_the_samples_of_one() -> None:
    schedule = CoopNets(energy(), generator(), chain())
    whole = schedule.sample(5, rng=Rng(3))
    rest = schedule.sample(2, rng=Rng(3, first_chain=3))
    for name in ("proposal", "latents", "revised"):
        assert torch.equal(getattr(whole, name)[3:], getattr(rest, name)), name


def test_sampling_between_two_iterations_leaves_modes_and_statistics_alone() -> None:
    torch.manual_seed(0)
    made = ConvGenerator((1, 8, 8), latents=2, channels=(4,), norm="batch")
    schedule = GeneratorOnly(made, chain(), 3)
    before = {name: value.clone() for name, value in schedule.state_dict().items()}
    one = schedule.sample(1, rng=Rng(0)).proposal
    # In training mode each image would be normalised by those it is drawn with.
    assert torch.allclose(one, schedule.sample(4, rng=Rng(0)).proposal[:1], atol=1e-6)  # type: ignore[index, arg-type]
    assert all(each.training for each in schedule.modules())
    assert all(torch.equal(value, before[name]) for name, value in schedule.state_dict().items())


def test_completion_by_a_gaussian_gives_its_conditional_mean_and_keeps_every_known_bit() -> None:
    precision = torch.tensor([[2.0, 0.9], [0.9, 1.5]]).double()

    class Correlated(Energy):
        def forward(self, x: Tensor) -> Tensor:
            return torch.einsum("bi,ij,bj->b", x, precision, x) / 2

    schedule = DescriptorOnly(Correlated(), Chain(Langevin(step_size=0.5, noise=False), 300), (2,))
    x, mask = double(4, 2), torch.tensor([1.0, 0.0]).double()
    completed = schedule.complete(x, mask, rng=Rng(0))
    assert torch.equal(completed[:, 0], x[:, 0])
    assert torch.allclose(completed[:, 1], -0.9 / 1.5 * x[:, 0])
    assert torch.equal(schedule.complete(x, mask, rng=Rng(0), steps=0), x)


def test_where_nothing_is_known_the_whole_example_moves_by_the_chain() -> None:
    schedule = full()
    x = double(3, 4)
    moved = run_chain(schedule.revision.sampler, schedule.energy, x, steps=3, rng=Rng(2)).x  # type: ignore[union-attr, arg-type]
    assert torch.equal(schedule.complete(x, torch.zeros(4), rng=Rng(2)), moved)


def test_without_an_energy_or_a_chain_nothing_is_completed() -> None:
    with pytest.raises(ValueError, match="Bare has no energy and chain, which complete examples"):
        Bare().complete(double(3, 4), torch.ones(4), rng=Rng(0))
