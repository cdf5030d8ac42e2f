"""Recovering hidden pixels with a trained generator, a trained descriptor, or both."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import attrs
import numpy as np
import torch
from torch import Tensor

from ebmkit.applications.comparators import COMPARATORS, Comparator
from ebmkit.core import (
    Chain,
    CooperativeScheduler,
    LatentGenerator,
    Rng,
    square_masks,
)
from ebmkit.errors import ConfigError

__all__ = [
    "Method",
    "Score",
    "blend",
    "explained",
    "hidden_errors",
    "infer_and_generate",
    "learned_methods",
    "recover",
    "unlearned_methods",
]

Method: TypeAlias = Callable[[Tensor, Tensor, Rng], Tensor]
"""``(x (B, C, H, W), mask (B, 1, H, W), rng) -> (B, C, H, W)``; looks at no hidden pixel of x."""


@attrs.frozen
class Score:
    """How well a method recovered squares of one size.

    Attributes:
        mask_size: side of the hidden square, pixels.
        method: its name.
        l1: mean over images of the mean absolute difference of hidden pixels, in the units of x.
        l1_error: standard error of that mean.
        l2: mean over images of the root mean square difference of hidden pixels, in the units of x.
        l2_error: standard error of that mean.
        images: how many.
    """

    mask_size: int
    method: str
    l1: float
    l1_error: float
    l2: float
    l2_error: float
    images: int


def infer_and_generate(
    generator: LatentGenerator, x: Tensor, mask: Tensor, *, chain: Chain, rng: Rng, restarts: int = 1
) -> Tensor:
    r"""g(z) with z from Langevin dynamics on $p(z \mid x_{observed})$, started from N(0, I).

    One chain is the paper's experiment. The mean of g(z) over several estimates the posterior mean,
    which has the smallest expected squared error of all answers.

    Args:
        generator: g, in eval mode.
        x: images, ``(B, C, H, W)``; what the mask hides is not looked at.
        mask: 1 on observed pixels, 0 on hidden ones.
        chain: on z.
        rng: of the start and the noise.
        restarts: chains for each image, whose images are averaged.

    Source: Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408, the face recovery experiment: Step G1 of
    Algorithm G with the error restricted to the observed pixels.
    """
    total = torch.zeros_like(x)
    for restart in range(restarts):
        stream = rng.fold_in("restart", restart)
        start = generator.prior(len(x), rng=stream.fold_in("start"))
        z = chain(generator.posterior(x, mask=mask), start, rng=stream.fold_in("inference")).x
        with torch.no_grad():
            total += generator(z)
    return total / restarts


def blend(image: Tensor, x: Tensor, mask: Tensor) -> Tensor:
    """Shift the hidden pixels of ``image`` so that they meet the observed ones of ``x`` without a seam.

    The difference on the observed pixels is continued harmonically into the hidden ones.

    Args:
        image: a recovered image, ``(B, C, H, W)``.
        x: the observed pixels.
        mask: 1 on observed pixels, 0 on hidden ones.

    Source: Perez, Gangnet, Blake, "Poisson image editing", 2003.
    """
    return image + _by_comparator(COMPARATORS["mrf-l2"])(mask * (x - image), mask, Rng(0))


def explained(generator: LatentGenerator, x: Tensor, mask: Tensor, *, inference: Chain, rng: Rng) -> Tensor:
    """Images whose hidden pixels are what the generator makes of the others, without a seam.

    Each is explained by latents of its own, one draw of their posterior: of several rows with the same
    observed pixels the answers differ.

    Args:
        generator: g, in eval mode.
        x: images, ``(B, C, H, W)``; what the mask hides is not looked at.
        mask: 1 on observed pixels, 0 on hidden ones.
        inference: the chain on z.
        rng: of its start and noise.

    Raises:
        ConfigError: scipy is not installed.
    """
    _refuse_missing("scipy", what="blending what the generator makes into the picture needs")
    answer = infer_and_generate(generator, x, mask, chain=inference, rng=rng)
    return torch.where(mask > 0, x, blend(answer, mask * x, mask))


def learned_methods(
    schedule: CooperativeScheduler, *, inference: Chain, restarts: int = 1, steps: int | None = None
) -> dict[str, Method]:
    """What the parts of a run can do.

    - ``generator``: the paper's experiment, g(z) of the inferred latents;
    - ``blended``: the same, shifted to meet the observed pixels;
    - ``descriptor``: the hidden pixels start from 0 and move under the energy;
    - ``both``: they start from the generator's.

    Args:
        schedule: the trained parts, in eval mode.
        inference: the chain on z.
        restarts: chains of the inference for each image.
        steps: of the descriptor's chain; None takes the run's own number.
    """
    generator = schedule.generator
    methods: dict[str, Method] = {}
    if generator is not None:
        by_generator = _remembered(
            lambda x, mask, rng: infer_and_generate(
                generator, x, mask, chain=inference, rng=rng.fold_in("generator"), restarts=restarts
            )
        )
        methods["generator"] = by_generator
        methods["blended"] = lambda x, mask, rng: blend(by_generator(x, mask, rng), x, mask)
    if schedule.energy is not None and schedule.sampling_chain() is not None:
        methods["descriptor"] = _by_descriptor(schedule, steps, first=None)
        if "generator" in methods:
            methods["both"] = _by_descriptor(schedule, steps, first=methods["generator"])
    return methods


def unlearned_methods() -> dict[str, Method]:
    """The comparators as methods.

    Raises:
        ConfigError: scipy or scikit-image is not installed.
    """
    _refuse_missing("scipy", "scikit-image", what="comparing needs")
    return {name: _by_comparator(comparator) for name, comparator in COMPARATORS.items()}


def hidden_errors(x: Tensor, recovered: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean absolute and root mean square difference over hidden pixels alone, each ``(B,)``.

    Examples:
        >>> x, y = torch.zeros(1, 1, 2, 2), torch.tensor([[[[9.0, 3.0], [0.0, 4.0]]]])
        >>> hidden_errors(x, y, torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]]))
        (tensor([3.5000]), tensor([3.5355]))
    """
    difference = ((1 - mask) * (recovered - x)).flatten(1)
    count = (1 - mask).expand_as(x).flatten(1).sum(1)
    return difference.abs().sum(1) / count, (difference.square().sum(1) / count).sqrt()


def recover(
    methods: Mapping[str, Method], x: Tensor, *, mask_size: int, rng: Rng
) -> Iterator[tuple[Score, Tensor]]:
    """Hide one square in each image, and let each method in turn recover it.

    Args:
        methods: by name; all get the same squares.
        x: whole images, ``(B, C, H, W)``.
        mask_size: side of the square, pixels.
        rng: places of the squares, and the methods' noise.

    Yields:
        the score of a method, and the images with their hidden pixels as it fills them.
    """
    mask = square_masks(len(x), tuple(x.shape[1:]), size=mask_size, rng=rng.fold_in("squares")).to(x.device)
    shown = mask * x
    for name, method in methods.items():
        filled = torch.where(mask > 0, x, method(shown, mask, rng))
        l1, l2 = hidden_errors(x, filled, mask)
        yield Score(mask_size, name, *_mean_and_error(l1), *_mean_and_error(l2), len(x)), filled


_MODULES = {"scipy": "scipy", "scikit-image": "skimage"}
"""What is imported of each package."""


def _refuse_missing(*packages: str, what: str) -> None:
    for name in packages:
        if importlib.util.find_spec(_MODULES[name]) is None:
            raise ConfigError(
                f"{what} {name}, which is not installed: pip install {name} "
                "(or install ebmkit with its extra [recovery])"
            )


def _remembered(method: Method) -> Method:
    """The method with its last answer kept: others that build on it do not ask again."""
    asked: tuple[Tensor, Tensor, int] | None = None
    answer = torch.empty(0)

    def ask(x: Tensor, mask: Tensor, rng: Rng) -> Tensor:
        nonlocal asked, answer
        same = asked is not None and asked[0] is x and asked[1] is mask and asked[2] == rng.key
        if not same:
            asked, answer = (x, mask, rng.key), method(x, mask, rng)
        return answer

    return ask


def _by_descriptor(schedule: CooperativeScheduler, steps: int | None, *, first: Method | None) -> Method:
    def method(x: Tensor, mask: Tensor, rng: Rng) -> Tensor:
        hidden = torch.zeros_like(x) if first is None else first(x, mask, rng)
        start = torch.where(mask > 0, x, hidden)
        return schedule.complete(start, mask, rng=rng.fold_in("revision"), steps=steps)

    return method


def _by_comparator(comparator: Comparator) -> Method:
    def method(x: Tensor, mask: Tensor, rng: Rng) -> Tensor:
        del rng
        images, hidden = x.double().cpu().numpy(), mask[:, 0].cpu().numpy() == 0
        filled = [comparator(image, hole) for image, hole in zip(images, hidden, strict=True)]
        return torch.from_numpy(np.stack(filled)).to(x)

    return method


def _mean_and_error(values: Tensor) -> tuple[float, float]:
    error = float(values.std()) / len(values) ** 0.5 if len(values) > 1 else math.nan
    return float(values.mean()), error
