"""Conditional parts: given a condition they are plain ones, of which nothing else has to know."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import (
    Batch,
    Chain,
    ConditionalEnergy,
    ConditionalGenerator,
    Rng,
    given,
    prepare,
    run_chain,
    value_and_gradient,
)
from ebmkit_coopnets.coopnets import CoopNets
from ebmkit_coopnets.generator_only import GeneratorOnly
from ebmkit_langevin.langevin import Langevin
from tests.models import LinearDescriptor, LinearGenerator, double

CLASSES = 3
CENTRES = double(CLASSES, 2, seed=3)


class Bumps(ConditionalEnergy):
    """E(x, c) = |x - m_c|² / 2: p(x | c) is N(m_c, I), and the marginal law an even mixture of them."""

    classes = CLASSES

    def __init__(self) -> None:
        super().__init__()
        self.centres = nn.Parameter(CENTRES.clone())

    def conditional(self, x: Tensor, condition: Tensor) -> Tensor:
        return (x - self.centres[condition]).square().sum(1) / 2


class Shifted(ConditionalGenerator):
    """g(z, c) = z + m_c."""

    classes = CLASSES
    latent_shape = (2,)
    noise_std = 0.5

    def __init__(self) -> None:
        super().__init__()
        self.centres = nn.Parameter(CENTRES.clone())

    def conditional(self, z: Tensor, condition: Tensor) -> Tensor:
        return z + self.centres[condition]


def test_without_a_class_it_is_the_energy_of_the_mixture() -> None:
    x = double(7, 2)
    law = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(torch.ones(CLASSES).double()),
        torch.distributions.Independent(torch.distributions.Normal(CENTRES, torch.ones(CLASSES, 2)), 1),
    )
    difference = Bumps()(x) + law.log_prob(x)
    assert torch.allclose(difference, difference[:1].expand(7))


def test_rows_have_their_own_condition_or_all_the_same() -> None:
    energy, x = Bumps(), double(3, 2)
    each = energy.given(torch.tensor([2, 0, 1]))(x)
    assert torch.equal(each, (x - CENTRES[[2, 0, 1]]).square().sum(1) / 2)
    assert torch.equal(energy.given(torch.tensor([1]))(x), energy.given(torch.ones(3, dtype=torch.int64))(x))
    with pytest.raises(ValueError, match=r"conditions of shape \(2,\) for 3 rows"):
        energy.given(torch.tensor([1, 2]))(x)


def test_any_tensor_is_a_condition() -> None:
    class Around(ConditionalEnergy):
        def conditional(self, x: Tensor, condition: Tensor) -> Tensor:
            return (x - condition).square().sum(1)

    x = double(3, 2)
    assert torch.equal(Around().given(x)(x), torch.zeros(3).double())
    with pytest.raises(ValueError, match="Around needs a condition: given"):
        Around()(x)


def test_a_sampler_and_a_prepared_gradient_take_it_as_any_other() -> None:
    condition = torch.arange(600) % CLASSES
    energy = Bumps().given(condition)
    x = double(600, 2)
    prepared = value_and_gradient(prepare(energy, x), x)
    assert torch.allclose(prepared.gradient, x - CENTRES[condition])
    moved = run_chain(Langevin(step_size=0.5), energy, x, steps=200, rng=Rng(1)).x
    for number in range(CLASSES):
        # 200 means of N(m, ~1): 5 standard errors, a false alarm in one of 300,000 tests.
        error = moved[condition == number].mean(0) - CENTRES[number]
        assert float(error.abs().max()) < 5 * 1.07 / 200**0.5


def test_the_posterior_of_a_given_generator_is_that_of_its_own_class() -> None:
    condition = torch.tensor([1, 0, 2])
    generator = Shifted().given(condition)
    x, z = double(3, 2), double(3, 2, seed=1)
    expected = (x - z - CENTRES[condition]).square().sum(1) / (2 * 0.5**2) + z.square().sum(1) / 2
    assert torch.allclose(generator.posterior(x)(z), expected)
    assert generator.prior(4, rng=Rng(0)).shape == (4, 2)


def test_a_generator_without_a_condition_says_so() -> None:
    with pytest.raises(ValueError, match="Shifted needs a condition for each of 3 rows"):
        Shifted()(double(3, 2))


def test_parts_without_conditions_and_no_condition_change_nothing() -> None:
    plain, energy = LinearDescriptor(torch.ones(2), 1.0), Bumps()
    assert given(plain, torch.tensor([1])) is plain
    assert given(energy, None) is energy


def schedule() -> CoopNets:
    return CoopNets(Bumps(), Shifted(), Chain(Langevin(step_size=0.1), 3), chains=4)


def test_a_given_schedule_shares_weights_and_leaves_the_other_alone() -> None:
    whole = schedule()
    one = whole.given(torch.tensor([2]))
    assert isinstance(whole.generator, Shifted)
    assert one.get_parameter("generator.generator.centres") is whole.get_parameter("generator.centres")
    assert one.revision is whole.revision
    assert whole.given(None) is whole
    made = one.sample(500, rng=Rng(0))
    assert made.proposal is not None
    assert made.latents is not None
    assert torch.equal(made.proposal, made.latents + CENTRES[2])


def test_cooperative_learning_keeps_classes_apart() -> None:
    whole = schedule()
    condition = torch.tensor([1, 2, 2])
    updates = whole.updates(Batch(double(3, 2), torch.arange(3), condition), rng=Rng(0))
    (energy, _), made = (next(updates), next(updates)), None
    try:
        next(updates)
    except StopIteration as stopped:
        made = stopped.value
    assert made is not None
    assert made.condition.tolist() == [1, 2, 2, 1]  # of the m = 4 chains, in turn
    assert torch.allclose(made.proposal, made.latents + CENTRES[made.condition])
    assert energy.loss is not None
    (gradient,) = torch.autograd.grad(energy.loss, whole.get_parameter("energy.centres"))
    for number in range(CLASSES):
        observed = (CENTRES[number] - double(3, 2))[condition == number].sum(0) / 3
        revised = (CENTRES[number] - made.revised)[made.condition == number].sum(0) / 4
        assert torch.allclose(gradient[number], observed - revised)


def test_every_image_of_algorithm_g_is_explained_by_its_own_class() -> None:
    schedule = GeneratorOnly(Shifted(), Chain(Langevin(step_size=0.1, noise=False), 400), 3).double()
    data = CENTRES + 1.0
    updates = schedule.updates(Batch(data, torch.arange(3), torch.arange(3)), rng=Rng(0))
    next(updates)
    # The posterior's mean is (x - m_c) / (1 + σ²).
    assert torch.allclose(schedule.latents, torch.full((3, 2), 1 / 1.25).double(), atol=1e-3)


def test_a_plain_generator_ignores_labels() -> None:
    generator = LinearGenerator(double(2, 2), double(2, seed=1), 0.3)
    plain = CoopNets(LinearDescriptor(torch.ones(2).double(), 1.0), generator, Chain(Langevin(), 2))
    x, positions = double(3, 2), torch.arange(3)
    losses = [
        [update.loss for update in plain.updates(batch, rng=Rng(0))]
        for batch in (Batch(x, positions), Batch(x, positions, torch.tensor([0, 1, 1])))
    ]
    assert all(torch.equal(*each) for each in zip(*losses, strict=True))
