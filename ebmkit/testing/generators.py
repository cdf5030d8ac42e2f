"""What every generator must respect."""

from __future__ import annotations

import math
from typing import TypeAlias

import attrs
import torch
from torch import Tensor

from ebmkit.core import LatentGenerator, Rng, reconstruction_loss, value_and_gradient
from ebmkit.testing.claims import GeneratorClaims
from ebmkit.testing.modules import (
    check_derivative,
    check_deterministic,
    check_learning,
    check_rows,
    check_state_dict,
    check_unchanged,
)
from ebmkit.testing.parameters import check_parameters
from ebmkit.testing.parts import OTHER_SHAPES, build_part
from ebmkit.testing.report import noted
from ebmkit.testing.subject import Subject
from ebmkit.testing.tensors import demand

__all__ = ["CHECKS"]

GeneratorSubject: TypeAlias = Subject[GeneratorClaims]


def _build(subject: GeneratorSubject, *, seed: int = 0) -> LatentGenerator:
    generator = build_part(subject, subject.claims.shape, seed=seed)
    demand(
        isinstance(generator, LatentGenerator),
        f"{type(generator).__name__} does not inherit from LatentGenerator",
    )
    return generator.eval()  # type: ignore[no-any-return]


def _latents(generator: LatentGenerator, count: int = 5) -> Tensor:
    return generator.prior(count, rng=Rng(1))


def parameters(subject: GeneratorSubject) -> str:
    """Every keyword parameter has a type, a line under ``Args:``, and a default inside its range."""
    return check_parameters(subject)


def shape(subject: GeneratorSubject) -> str:
    """``latent_shape`` is a tuple, and latents of it become finite examples of the given shape."""
    generator = _build(subject)
    latent = generator.latent_shape
    is_shape = isinstance(latent, tuple) and all(isinstance(each, int) and each > 0 for each in latent)
    demand(is_shape, f"latent_shape is {latent!r}, not a tuple of positive numbers")
    for count in (1, 5):
        with torch.no_grad():
            x = generator(_latents(generator, count))
        wanted = (count, *subject.claims.shape)
        demand(x.shape == wanted, f"{count} latents became {tuple(x.shape)} instead of {wanted}")
        demand(bool(torch.isfinite(x).all()), "examples of ordinary latents are not finite")
    return f"{latent} to {subject.claims.shape}"


def other_shapes(subject: GeneratorSubject) -> str:
    """Examples of other shapes are made too, or a ValueError refuses them at the start."""
    taken = [other for other in OTHER_SHAPES if _makes(subject, other)]
    return f"makes {', '.join(map(str, taken)) or 'none'} of {len(OTHER_SHAPES)} others"


def _makes(subject: GeneratorSubject, other: tuple[int, ...]) -> bool:
    """Whether it lets itself be built for such examples; then it has to make them."""
    subject = attrs.evolve(subject, claims=attrs.evolve(subject.claims, shape=other))
    with noted(f"for examples of shape {other}, which no ValueError of its constructor refuses"):
        try:
            generator = _build(subject)
        except ValueError:
            return False
        with torch.no_grad():
            x = generator(_latents(generator))
    demand(x.shape == (len(x), *other), f"built for examples of shape {other}, it makes {tuple(x.shape[1:])}")
    return True


def noise_std(subject: GeneratorSubject) -> str:
    """``noise_std`` is a finite number above 0."""
    value = _build(subject).noise_std
    demand(isinstance(value, float) and math.isfinite(value) and value > 0, f"noise_std is {value!r}")
    return f"{value:g}"


def input_unchanged(subject: GeneratorSubject) -> str:
    """The latents are not modified in place."""
    generator = _build(subject)
    with torch.no_grad():
        return check_unchanged(generator, _latents(generator))


def independent_rows(subject: GeneratorSubject) -> str:
    """In eval mode another latent in one row, even NaN, changes no other example."""
    generator = _build(subject)
    with torch.no_grad():
        return check_rows(generator, _latents(generator))


def deterministic(subject: GeneratorSubject) -> str:
    """In eval mode the same latents give the same bits, and no global generator moves."""
    generator = _build(subject)
    with torch.no_grad():
        return check_deterministic(generator, _latents(generator))


def posterior_gradient(subject: GeneratorSubject) -> str:
    """The gradient of the latents' posterior in float64 is that of the finite difference."""
    generator = _build(subject).double()
    z = _latents(generator)
    x = generator(_latents(generator).flip(0)).detach()
    energy = generator.posterior(x)
    return check_derivative(energy, z, value_and_gradient(energy, z).gradient)


def learns(subject: GeneratorSubject) -> str:
    """Every parameter gets a finite gradient from the reconstruction error."""
    generator = _build(subject).train()
    made = generator(_latents(generator))
    return check_learning(
        generator, reconstruction_loss(made.detach() + 0.1, made, noise_std=generator.noise_std)
    )


def state_dict(subject: GeneratorSubject) -> str:
    """Saved weights make another instance the same generator, bit for bit."""
    generator = _build(subject)
    z = _latents(generator)
    with torch.no_grad():
        return check_state_dict(generator, _build(subject, seed=1), lambda each: each(z))


CHECKS = {
    "parameters": parameters,
    "shape": shape,
    "other-shapes": other_shapes,
    "noise-std": noise_std,
    "input-unchanged": input_unchanged,
    "independent-rows": independent_rows,
    "deterministic": deterministic,
    "posterior-gradient": posterior_gradient,
    "learns": learns,
    "state-dict": state_dict,
}
