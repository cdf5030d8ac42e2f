"""What a sampler must respect whatever a state is: a number, a vector, a sequence, an image, a video."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import islice

import torch
from torch import Tensor

from ebmkit.core import Rng, Sampler, as_rows, run_chain, walk
from ebmkit.testing.probes import bowl
from ebmkit.testing.report import ContractError, noted
from ebmkit.testing.samplers import SamplerSubject, build, start, states
from ebmkit.testing.tensors import demand, fields, same_bits

__all__ = ["CHECKS"]

_SHAPES = ((3,), (), (2, 5), (1, 4, 4), (2, 3, 2, 4))
"""Of one state: a vector, a number, a sequence, an image, a video."""


def shape_and_dtype(subject: SamplerSubject) -> str:
    """Positions keep shape, type, device and precision; infos are ``(B,)`` or 0-dim numbers."""
    _check_pair(build(subject))
    for shape in _SHAPES:
        for dtype in (torch.float32, torch.float64):
            for device in _devices():
                with _of_shape(shape):
                    _check_steps(build(subject), start(5, shape, dtype).to(device))
    (here,) = states(build(subject), bowl, start(50), 1)
    rounded = torch.equal(here.x, here.x.float().double())
    demand(not rounded, "float64 positions come back with the digits of float32 only")
    return f"{len(_SHAPES)} shapes, float32 and float64"


def _devices() -> tuple[str, ...]:
    return ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


def _of_shape(shape: tuple[int, ...]) -> AbstractContextManager[None]:
    """Add the shape of the states to what is raised in this block."""
    if len(shape) == 1:  # what fails on vectors too is no matter of shapes
        return nullcontext()
    states = "(B,)" if not shape else f"(B, {', '.join(map(str, shape))})"
    advice = "a state may have any shape (B, *S), and ebmkit.core.as_rows makes rows of it"
    return noted(f"with states of shape {states}: {advice}")


def _check_pair(sampler: Sampler) -> None:
    """A step returns a state and what to watch."""
    with torch.no_grad():
        given = sampler.step(bowl, sampler.init(bowl, start()), Rng(2))
    pair = isinstance(given, tuple) and not hasattr(given, "_asdict") and len(given) == 2  # noqa: PLR2004
    if not pair:
        raise ContractError(f"step returned a {type(given).__name__}; wanted (state, info)")
    if not isinstance(given[1], Mapping):
        raise ContractError(f"step returned a {type(given[1]).__name__} as info; wanted a mapping")


def _check_steps(sampler: Sampler, x: Tensor) -> None:
    given = f"a position of shape {tuple(x.shape)} and type {x.dtype}"
    with torch.no_grad():
        for here, info in islice(walk(sampler, bowl, x, rng=Rng(2)), 3):
            moved = fields(here)["x"]
            demand(moved.shape == x.shape, f"{given} became one of shape {tuple(moved.shape)}")
            demand(moved.dtype == x.dtype, f"{given} became {moved.dtype}")
            demand(moved.device == x.device, f"{given} on {x.device} went to {moved.device}")
            for name, value in info.items():
                demand(isinstance(value, Tensor), f"info {name!r} is not a tensor but {type(value).__name__}")
                wanted = f"({len(x)},), one number per chain, or () for all of them"
                found = f"info {name!r} has shape {tuple(value.shape)}"
                demand(value.shape in ((), x.shape[:1]), f"{found}; wanted {wanted}")
                demand(value.is_floating_point(), f"info {name!r} is {value.dtype}, which has no mean")


def independent_rows(subject: SamplerSubject) -> str:
    """Moving one chain's start, even to NaN, changes no bit of the other chains."""
    for shape in _SHAPES:
        with _of_shape(shape):
            _check_rows(build(subject), start(shape=shape))
    return f"{len(_SHAPES)} shapes"


def _check_rows(sampler: Sampler, x: Tensor) -> None:
    row = 3
    rest = torch.arange(len(x)) != row
    plain = run_chain(sampler, bowl, x, steps=5, rng=Rng(2)).x
    for value in (2.5, torch.nan):
        other = x.clone()
        other[row] = value
        moved = run_chain(sampler, bowl, other, steps=5, rng=Rng(2)).x
        alone = same_bits(plain[rest], moved[rest])
        demand(alone, f"of positions {tuple(x.shape)}, a chain that starts at {value} changes other chains")


def batch_split(subject: SamplerSubject) -> str:
    """64 chains are two times 32 bit for bit, with ``Rng.first_chain``, whatever their shape."""
    for shape in _SHAPES:
        with _of_shape(shape):
            _check_halves(build(subject), start(64, shape))
    return f"{len(_SHAPES)} shapes"


def _check_halves(sampler: Sampler, x: Tensor) -> None:
    whole = run_chain(sampler, bowl, x, steps=5, rng=Rng(2)).x
    halves = [
        run_chain(sampler, bowl, x[first : first + 32], steps=5, rng=Rng(2, first_chain=first)).x
        for first in (0, 32)
    ]
    differ = int(as_rows(whole != torch.cat(halves)).any(1).sum())
    demand(differ == 0, f"of positions {tuple(x.shape)}, {differ} chains depend on which run beside them")


CHECKS = {
    "shape-and-dtype": shape_and_dtype,
    "independent-rows": independent_rows,
    "batch-split": batch_split,
}
