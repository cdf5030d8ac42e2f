"""What every encoder must respect."""

from __future__ import annotations

from typing import TypeAlias

import attrs
import torch
from torch import Tensor

from ebmkit.core import Encoder, Gaussian, Rng, as_rows
from ebmkit.testing.claims import EncoderClaims
from ebmkit.testing.modules import (
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

EncoderSubject: TypeAlias = Subject[EncoderClaims]


def _build(subject: EncoderSubject, *, seed: int = 0) -> Encoder:
    encoder = build_part(subject, subject.claims.shape, seed=seed)
    demand(isinstance(encoder, Encoder), f"{type(encoder).__name__} does not inherit from Encoder")
    return encoder.eval()  # type: ignore[no-any-return]


def _examples(shape: tuple[int, ...], count: int = 5) -> Tensor:
    return Rng(1).uniform(torch.empty(count, *shape)) * 2 - 1


def _flat(law: Gaussian) -> Tensor:
    """Both tensors of a law in one, ``(B, 2 d)``."""
    return torch.cat([as_rows(law.mean), as_rows(law.log_std)], 1)


def parameters(subject: EncoderSubject) -> str:
    """Every keyword parameter has a type, a line under ``Args:``, and a default inside its range."""
    return check_parameters(subject)


def shape(subject: EncoderSubject) -> str:
    """Examples become a Gaussian: finite float32 mean and log standard deviation of one shape ``(B, *L)``."""
    encoder = _build(subject)
    latent = _shape_of_latents(encoder, subject.claims.shape)
    return f"{subject.claims.shape} to {latent}"


def _shape_of_latents(encoder: Encoder, shape: tuple[int, ...]) -> tuple[int, ...]:
    latents = set()
    for count in (1, 5):
        with torch.no_grad():
            law = encoder(_examples(shape, count))
        demand(isinstance(law, Gaussian), f"forward gives a {type(law).__name__}; wanted a Gaussian")
        for name, each in law._asdict().items():
            same = each.shape == law.mean.shape and each.shape[:1] == (count,)
            wanted = f"wanted ({count}, *L), the same for both"
            demand(same, f"{name} has shape {tuple(each.shape)} for {count} examples; {wanted}")
            demand(each.dtype == torch.float32, f"{name} of float32 examples is {each.dtype}")
            demand(bool(torch.isfinite(each).all()), f"{name} of ordinary examples is not finite")
        latents.add(tuple(law.mean.shape[1:]))
    demand(len(latents) == 1, f"the shape of the latents depends on the batch: {latents}")
    return latents.pop()


def other_shapes(subject: EncoderSubject) -> str:
    """Examples of other shapes are taken too, or a ValueError refuses them at the start."""
    taken = [other for other in OTHER_SHAPES if _takes(subject, other)]
    return f"takes {', '.join(map(str, taken)) or 'none'} of {len(OTHER_SHAPES)} others"


def _takes(subject: EncoderSubject, other: tuple[int, ...]) -> bool:
    """Whether it lets itself be built for such examples; then it has to take them."""
    subject = attrs.evolve(subject, claims=attrs.evolve(subject.claims, shape=other))
    with noted(f"for examples of shape {other}, which no ValueError of its constructor refuses"):
        try:
            encoder = _build(subject)
        except ValueError:
            return False
        _shape_of_latents(encoder, other)
    return True


def input_unchanged(subject: EncoderSubject) -> str:
    """The examples are not modified in place."""
    encoder = _build(subject)
    with torch.no_grad():
        return check_unchanged(encoder, _examples(subject.claims.shape))


def independent_rows(subject: EncoderSubject) -> str:
    """In eval mode another example in one row, even NaN, changes no other law."""
    encoder = _build(subject)
    with torch.no_grad():
        return check_rows(lambda x: _flat(encoder(x)), _examples(subject.claims.shape))


def deterministic(subject: EncoderSubject) -> str:
    """In eval mode the same examples give the same bits, and no global generator moves."""
    encoder = _build(subject)
    with torch.no_grad():
        return check_deterministic(lambda x: _flat(encoder(x)), _examples(subject.claims.shape))


def learns(subject: EncoderSubject) -> str:
    """Every parameter gets a finite gradient from a draw and the divergence from the prior."""
    encoder = _build(subject).train()
    law = encoder(_examples(subject.claims.shape))
    return check_learning(encoder, law.sample(rng=Rng(2)).square().sum() + law.kl().sum())


def state_dict(subject: EncoderSubject) -> str:
    """Saved weights make another instance the same encoder, bit for bit."""
    encoder, x = _build(subject), _examples(subject.claims.shape)
    with torch.no_grad():
        return check_state_dict(encoder, _build(subject, seed=1), lambda each: _flat(each(x)))


CHECKS = {
    "parameters": parameters,
    "shape": shape,
    "other-shapes": other_shapes,
    "input-unchanged": input_unchanged,
    "independent-rows": independent_rows,
    "deterministic": deterministic,
    "learns": learns,
    "state-dict": state_dict,
}
