"""What every data source must respect."""

from __future__ import annotations

import pickle
from typing import TypeAlias

import torch

from ebmkit.core import Source
from ebmkit.testing.claims import SourceClaims
from ebmkit.testing.parameters import check_parameters
from ebmkit.testing.randomness import unmoved
from ebmkit.testing.subject import Subject
from ebmkit.testing.tensors import demand, same_bits

__all__ = ["CHECKS"]

SourceSubject: TypeAlias = Subject[SourceClaims]

_MOST = 64


def _build(subject: SourceSubject) -> Source:
    source = subject.make()
    demand(isinstance(source, Source), f"{type(source).__name__} does not inherit from Source")
    demand(len(source) > 0, "it holds no example")
    return source  # type: ignore[no-any-return]


def _positions(source: Source) -> torch.Tensor:
    """At most 64 positions over the whole length, the last one among them."""
    return torch.linspace(0, len(source) - 1, min(len(source), _MOST)).round().long()


def parameters(subject: SourceSubject) -> str:
    """Every keyword parameter has a type, a line under ``Args:``, and a default inside its range."""
    return check_parameters(subject)


def examples(subject: SourceSubject) -> str:
    """Positions ``(n,)`` give ``(n, *shape)`` finite float32 examples, images in [-1, 1]."""
    source = _build(subject)
    index = _positions(source)
    x = source[index]
    wanted = (len(index), *source.shape)
    demand(x.shape == wanted, f"{len(index)} positions gave {tuple(x.shape)} instead of {wanted}")
    demand(x.dtype == torch.float32, f"examples are {x.dtype} instead of float32")
    demand(bool(torch.isfinite(x).all()), "some examples are not finite")
    low, high = float(x.min()), float(x.max())
    demand(not subject.claims.bounded or (low >= -1 and high <= 1), f"images reach from {low:g} to {high:g}")
    return f"{len(source)} of shape {source.shape}, from {low:.2f} to {high:.2f}"


def indexing(subject: SourceSubject) -> str:
    """An example depends on its position alone: in any order, repeated, and read again after a change."""
    source = _build(subject)
    index = _positions(source)
    x = source[index]
    order = torch.arange(len(index)).flip(0)
    demand(same_bits(source[index[order]], x[order]), "examples depend on the order they are asked for in")
    twice = source[index[:1].repeat(2)]
    demand(
        same_bits(twice, x[:1].repeat(2, *[1] * (x.ndim - 1))), "a repeated position gives another example"
    )
    kept = x.clone()
    x.zero_()
    demand(same_bits(source[index], kept), "changing what was read changes the source")
    return f"{len(index)} positions"


def fingerprint(subject: SourceSubject) -> str:
    """Opened again, it has the same fingerprint; no global generator moves."""
    with unmoved():
        first, second = _build(subject).fingerprint(), _build(subject).fingerprint()
    demand(first == second, "the same data opened twice have two fingerprints: a run could not resume")
    return first[:12]


def workers(subject: SourceSubject) -> str:
    """It can be pickled, as other processes need it, and gives the same examples there."""
    source = _build(subject)
    index = _positions(source)
    copied = pickle.loads(pickle.dumps(source))  # noqa: S301 - pickled one line before
    demand(same_bits(source[index], copied[index]), "a pickled copy gives other examples")
    return ""


CHECKS = {
    "parameters": parameters,
    "examples": examples,
    "indexing": indexing,
    "fingerprint": fingerprint,
    "workers": workers,
}
