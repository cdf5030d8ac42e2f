"""What each kind of part promises, looked at on a few rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor

from ebmkit.core import (
    Encoder,
    Energy,
    EnergyFn,
    Gaussian,
    Gradient,
    LatentGenerator,
    Rng,
    Sampler,
    ValueAndGradient,
    prepare,
    value_and_gradient,
)
from ebmkit.core.chain import walk
from ebmkit.core.modes import evaluating

__all__ = [
    "FaultError",
    "TargetFailedError",
    "compare",
    "look_at_encoder",
    "look_at_energy",
    "look_at_generator",
    "look_at_sampler",
]

_FAR = 100.0
"""A chain this many times larger than what it started from has run away, which breaks no promise."""


class FaultError(Exception):
    """What a part did wrong."""


class TargetFailedError(Exception):
    """The energy that a sampler moved states under raised, on states that it has to take.

    Attributes:
        x: these states.
        error: what it raised.
    """

    def __init__(self, x: Tensor, error: Exception) -> None:
        super().__init__(str(error))
        self.x = x
        self.error = error


def look_at_energy(energy: EnergyFn, x: Tensor) -> None:
    """``(B, *S) -> (B,)``, finite, with a gradient.

    Raises:
        FaultError: it returned something else.
    """
    with evaluating(energy):
        compare(energy(x), shape=(len(x),), device=x.device)
        compare(value_and_gradient(energy, x).gradient, shape=tuple(x.shape), what="a gradient of")


def look_at_encoder(encoder: Encoder, x: Tensor) -> None:
    """Examples become a Gaussian whose two tensors are finite and of one shape, ``(B, *L)``.

    Raises:
        FaultError: they became something else.
    """
    with torch.no_grad(), evaluating(encoder):
        law: object = encoder(x)
    if not isinstance(law, Gaussian):
        raise FaultError(f"returned a {type(law).__name__}, not a Gaussian")
    for name, each in law._asdict().items():
        compare(each, shape=(len(x), *law.mean.shape[1:]), device=x.device, what=f"as {name}")


def look_at_generator(generator: LatentGenerator, z: Tensor, x: Tensor) -> None:
    """Latents ``z`` become examples like ``x``.

    Raises:
        FaultError: they became something else.
    """
    with torch.no_grad(), evaluating(generator):
        compare(generator(z), shape=tuple(x.shape), dtype=z.dtype, device=x.device)


def look_at_sampler(sampler: Sampler, energy: EnergyFn, start: Tensor, *, steps: int, rng: Rng) -> None:
    """Every step keeps shape, dtype and device, and hides no NaN.

    Raises:
        FaultError: a step did not, or asked the energy about something else than states.
        TargetFailedError: the energy raised.
    """
    asked = _Asked(energy)
    try:
        _look_at_steps(sampler, asked, start, steps, rng)
    except FaultError:
        raise
    except Exception as error:
        if asked.failure is None or not _came_of(error, asked.failure.error):
            raise
        x = asked.failure.x
        if (x.shape[1:], x.dtype, x.device) != (start.shape[1:], start.dtype, start.device):
            asks, states = _described(x), _described(start)
            raise FaultError(f"asks the energy about {asks}, where states are {states}: {error}") from error
        raise asked.failure from error


def _look_at_steps(sampler: Sampler, energy: EnergyFn, start: Tensor, steps: int, rng: Rng) -> None:
    limit = _FAR * max(float(start.abs().max()), 1.0)
    kept = before = start.clone()
    with torch.no_grad(), evaluating(energy):
        moves = walk(sampler, energy, start, rng=rng)
        for step in range(steps):
            state, info = next(moves)
            if not isinstance(getattr(state, "x", None), Tensor):
                raise FaultError(f"returned a state without a tensor x: {type(state).__name__}")
            what = f"at step {step + 1} a state x of"
            finite = bool(torch.isfinite(state.x).all())
            compare(
                state.x if finite else torch.zeros_like(state.x),
                shape=tuple(start.shape),
                dtype=start.dtype,
                device=start.device,
                what=what,
            )
            if not finite:
                if not bool(torch.isfinite(value_and_gradient(energy, before).gradient).all()):
                    return  # the energy's doing, and a divergence of the training
                raise FaultError(f"returned {what} numbers that are not finite, from ones that are")
            _look_at_info(info)
            before = state.x.clone()
            if float(state.x.abs().max()) > limit:
                return
    if not torch.equal(start, kept):
        raise FaultError("changed the x that it was given; a step returns a new state")


def _look_at_info(info: Any) -> None:
    if not isinstance(info, Mapping):
        raise FaultError(f"returned an info that is not a mapping: {type(info).__name__}")
    for name, value in info.items():
        if not isinstance(value, Tensor):
            raise FaultError(f"watches {name!r} with a {type(value).__name__}, not a tensor")


def compare(
    given: Any,
    *,
    shape: tuple[int, ...],
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
    what: str = "something of",
) -> None:
    """Hold what a part returned against what it promised.

    Raises:
        FaultError: saying both.
    """
    if not isinstance(given, Tensor):
        raise FaultError(f"returned a {type(given).__name__}, not a tensor")
    if tuple(given.shape) != shape:
        raise FaultError(f"returned {what} shape {tuple(given.shape)}, where {shape} is promised")
    if not given.dtype.is_floating_point or (dtype is not None and given.dtype != dtype):
        wanted = dtype or "a floating-point type"
        raise FaultError(f"returned {what} dtype {given.dtype}, where {wanted} is promised")
    if device is not None and given.device != device:
        raise FaultError(f"returned {what} device {given.device}, where {device} is promised")
    if not bool(torch.isfinite(given).all()):
        raise FaultError(f"returned {what} numbers that are not finite, from ones that are")


@final
class _Asked(Energy):
    """An energy as a sampler asks it, prepared as it would be; it remembers what it raised, and where."""

    def __init__(self, energy: EnergyFn) -> None:
        super().__init__()
        self.energy = energy
        self.failure: TargetFailedError | None = None

    def forward(self, x: Tensor) -> Tensor:
        with self._remembering(x):
            return self.energy(x)

    def prepare(self, x: Tensor) -> Gradient:
        with self._remembering(x):
            whole = prepare(self.energy, x).value_and_gradient

        def asked(y: Tensor) -> ValueAndGradient:
            with self._remembering(y):
                return whole(y)

        return asked

    @contextmanager
    def _remembering(self, x: Tensor) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.failure = TargetFailedError(x, error)
            raise


def _came_of(error: BaseException | None, cause: Exception) -> bool:
    """Whether an exception is another one, or was raised while that was handled."""
    while error is not None and error is not cause:
        error = error.__cause__ or error.__context__
    return error is cause


def _described(x: Tensor) -> str:
    return f"{x.dtype} of shape {tuple(x.shape)} on {x.device}"
