from __future__ import annotations

import torch

from ebmkit.core import Rng
from ebmkit.evaluation.sets import Drawn, Part, gaussian_like, spread
from tests.memory import peak_bytes


def test_images_are_kept_as_bytes_and_given_back_to_half_a_grey_level() -> None:
    x = torch.rand(5, 1, 4, 4) * 2.4 - 1.2
    kept = Drawn.of(x, images=True)
    assert kept.rows.dtype == torch.uint8
    assert (kept[torch.arange(5)] - x.clamp(-1, 1)).abs().max() <= 1 / 255 + 1e-6
    y = torch.randn(5, 3)
    assert torch.equal(Drawn.of(y, images=False)[torch.tensor([4, 0])], y[[4, 0]])


def test_a_part_has_the_examples_of_its_positions() -> None:
    x = torch.arange(20.0)[:, None]
    part = Part(x, torch.tensor([3, 9, 11]))
    assert part[torch.tensor([2, 0])].tolist() == [[11.0], [3.0]]
    assert Part(part, torch.tensor([1]))[torch.tensor([0])].tolist() == [[9.0]]


def test_some_examples_are_drawn_from_all_over_the_set_and_always_the_same() -> None:
    x = torch.arange(1000.0)[:, None]
    some = spread(x, 100, rng=Rng(0))
    assert len(some.positions.unique()) == 100
    assert torch.equal(some.positions, spread(x, 100, rng=Rng(0)).positions)
    # The mean of 100 of 0..999 has a standard deviation of 27: beyond 5 of them once in two million seeds.
    assert abs(float(some.positions.float().mean()) - 499.5) < 5 * 27.4
    assert torch.equal(spread(x, 5000, rng=Rng(0)).positions, torch.arange(1000))


def test_a_gaussian_like_the_data_has_their_mean_and_covariance() -> None:
    torch.manual_seed(0)
    x = torch.randn(50, 3) @ torch.tensor([[2.0, 0, 0], [1, 1, 0], [0, 0.5, 0.1]]) + torch.tensor(
        [5.0, -1, 0]
    )
    drawn = gaussian_like(x, 200_000, rng=Rng(3), images=False).rows
    # Errors of 200,000 draws: 5 standard errors, about once in a million seeds for each of the nine numbers.
    assert (drawn.mean(0) - x.mean(0)).abs().max() < 5 * float(x.std(0).max()) / 200_000**0.5
    scale = torch.outer(x.std(0), x.std(0))
    assert ((drawn.T.cov() - x.T.cov()).abs() / scale).max() < 5 * 2**0.5 / 200_000**0.5
    pixels = gaussian_like(x.view(50, 1, 3, 1), 4, rng=Rng(0), images=True).rows
    assert (pixels.shape, pixels.dtype) == ((4, 1, 3, 1), torch.uint8)


def test_draws_of_a_gaussian_take_the_room_of_their_bytes_and_do_not_depend_on_how_many_there_are() -> None:
    x = torch.rand(20, 1, 16, 16) * 2 - 1
    few, many = (
        peak_bytes(lambda count=count: gaussian_like(x, count, rng=Rng(1), images=True))
        for count in (1000, 3000)
    )
    assert 0.9 < (many - few) / (2000 * 256) < 1.1
    whole = gaussian_like(x, 150, rng=Rng(1), images=False).rows
    assert torch.allclose(whole[:100], gaussian_like(x, 100, rng=Rng(1), images=False).rows, atol=1e-5)
    assert float(whole[0].sub(whole[64]).abs().max()) > 0.1  # one of another chunk
