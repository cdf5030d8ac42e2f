"""Examples of any shape: rows of their numbers, and what is summed over them."""

from __future__ import annotations

import pytest
import torch

from ebmkit.core import (
    Clamped,
    LatentGenerator,
    Mixture,
    Rng,
    Weighted,
    as_rows,
    per_row,
    prepare,
    speckle_masks,
    square_masks,
    squared_error,
    value_and_gradient,
)
from tests.models import double

SHAPES = [(), (1,), (6,), (2, 3), (1, 2, 3), (2, 3, 2, 2), (0,), (3, 0)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rows_hold_the_numbers_of_an_example_in_their_order(shape: tuple[int, ...]) -> None:
    x = double(5, *shape)
    rows = as_rows(x)
    assert rows.shape == (5, x[0].numel())
    assert torch.equal(rows[3], x[3].flatten())
    assert torch.equal(
        per_row(torch.arange(5.0), x) * torch.ones_like(x), torch.stack([0 * x[0] + i for i in range(5)])
    )


def test_a_row_is_read_as_the_example_is_written_whatever_its_layout() -> None:
    x = double(4, 2, 3, 5)
    assert torch.equal(as_rows(x.to(memory_format=torch.channels_last)), x.view(4, 30))
    assert as_rows(x.view(4, 30)).data_ptr() == x.data_ptr()


def test_a_single_number_is_no_batch() -> None:
    with pytest.raises(IndexError):
        as_rows(torch.tensor(1.0)).sum(1)


@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (1, 2, 3), (2, 1, 3, 1)], ids=str)
def test_sums_over_examples_are_those_of_vectors(shape: tuple[int, ...]) -> None:
    x, y, mask = double(5, *shape), double(5, *shape, seed=1), (double(*shape, seed=2) > 0).double()
    error = squared_error(x, y, mask=mask)
    assert torch.equal(
        error, torch.stack([(mask * (x[i] - y[i])).square().flatten().sum() for i in range(5)])
    )


@pytest.mark.parametrize("latent_shape", [(), (4,), (1, 2, 2)], ids=str)
def test_the_posterior_takes_latents_and_examples_of_any_shape(latent_shape: tuple[int, ...]) -> None:
    class Doubles(LatentGenerator):
        noise_std = 0.5

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return 2 * z

    generator = Doubles()
    generator.latent_shape = latent_shape
    z, x = double(5, *latent_shape), double(5, *latent_shape, seed=1)
    found = value_and_gradient(generator.posterior(x), z)
    assert generator.prior(5, rng=Rng(0)).shape == (5, *latent_shape)
    # (x - 2 z)² / 2 σ² + z² / 2, coordinate by coordinate.
    assert torch.allclose(found.value, as_rows((x - 2 * z) ** 2 / 0.5 + z**2 / 2).sum(1))
    assert torch.allclose(found.gradient, -2 * (x - 2 * z) / 0.25 + z)


@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (2, 1, 3, 1)], ids=str)
def test_mixtures_and_clamped_energies_know_the_gradient_of_any_shape(shape: tuple[int, ...]) -> None:
    x = double(5, *shape)
    near, far = (lambda y: as_rows(y).square().sum(1) / 2), (lambda y: as_rows(y - 2).abs().sum(1))
    mixture = Mixture({"near": Weighted(near, 0.3), "far": Weighted(far, 2.0)})
    known = (double(5, *shape, seed=1) > 0).double()
    for energy in (mixture, Clamped(mixture, double(5, *shape, seed=2), known)):
        fast = value_and_gradient(prepare(energy, x), x)
        plain = value_and_gradient(lambda y, energy=energy: energy(y), x)  # type: ignore[misc]
        assert torch.allclose(fast.value, plain.value)
        assert torch.allclose(fast.gradient, plain.gradient)


@pytest.mark.parametrize(
    ("shape", "mask"),
    [
        ((), ()),
        ((8,), (8,)),
        ((3, 8), (1, 8)),
        ((3, 8, 6), (1, 8, 6)),
        ((3, 4, 8, 6), (1, 4, 8, 6)),
    ],
)
def test_speckle_hides_places_with_all_their_channels(shape: tuple[int, ...], mask: tuple[int, ...]) -> None:
    hidden = speckle_masks(400, shape, hidden=0.3, rng=Rng(0))
    assert hidden.shape == (400, *mask)
    assert torch.broadcast_shapes(hidden.shape, (400, *shape)) == (400, *shape)
    share = (hidden == 0).double().mean()
    assert abs(share - 0.3) < 5 * (0.3 * 0.7 / hidden.numel()) ** 0.5


@pytest.mark.parametrize("shape", [(), (8,), (3, 8), (3, 4, 8, 6)], ids=str)
def test_only_images_have_squares(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a hidden square needs images"):
        square_masks(2, shape, size=2, rng=Rng(0))
