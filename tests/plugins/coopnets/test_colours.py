from __future__ import annotations

import math

import torch

from ebmkit.core import Rng
from ebmkit_coopnets.colours import MeanColours
from tests.models import double


def test_the_law_is_that_of_the_mean_colours_however_they_come_in() -> None:
    x = 0.3 * double(10, 3, 4, 5) + double(10, 3, seed=1)[:, :, None, None]
    means = x.mean((2, 3))
    for parts in ((10,), (3, 5, 2)):
        colours = MeanColours(3)
        for part in x.split(parts):
            colours.see(part)
        mean, covariance = colours.law()
        assert torch.allclose(mean, means.mean(0))
        assert torch.allclose(covariance, torch.cov(means.T, correction=0))
        assert int(colours.count) == 10


def test_colours_are_drawn_from_the_law() -> None:
    """20,000 of them: the mean and every covariance within five standard errors."""
    colours, count = MeanColours(2), 20_000
    colours.see(double(30, 2, 1, 1) @ torch.ones(1, 1).double() + double(30, 1, 1, 1, seed=4))
    mean, covariance = colours.law()
    drawn = colours.draw(torch.empty(count, 2, 1, 1), rng=Rng(0))[..., 0, 0].double()
    spread = covariance.diagonal().sqrt()
    assert torch.all((drawn.mean(0) - mean).abs() < 5 * spread / math.sqrt(count))
    error = ((covariance**2 + spread[:, None] ** 2 * spread**2) / count).sqrt()
    assert torch.all((torch.cov(drawn.T) - covariance).abs() < 5 * error)
    assert abs(covariance[0, 1]) > 10 * error[0, 1]


def test_colours_of_data_of_one_colour_are_that_colour_and_standard_normal_before() -> None:
    colours = MeanColours(3)
    like = torch.empty(5, 3, 1, 1)
    assert torch.allclose(colours.draw(like, rng=Rng(0)), Rng(0).normal(like))
    colours.see(torch.full((4, 3, 2, 2), 0.25))
    assert torch.allclose(colours.draw(like, rng=Rng(0)), torch.full_like(like, 0.25), atol=1e-6)
