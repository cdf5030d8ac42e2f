"""How a learning rate falls: pure functions of the iteration, so that nothing of it is saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

__all__ = ["DECAYS", "Decay"]

Decay: TypeAlias = Literal["constant", "exponential", "plateaus", "robbins-monro"]

_PLATEAUS = 80
_LOWEST = 0.01


def _exponential(turns: float) -> float:
    return float(0.5**turns)


def _plateaus(turns: float) -> float:
    plateau = min(int(turns * _PLATEAUS), _PLATEAUS - 1)
    return float(_LOWEST ** (plateau / (_PLATEAUS - 1)))


def _robbins_monro(turns: float) -> float:
    return 1 / (1 + turns)


DECAYS: Mapping[Decay, Callable[[float], float]] = {
    "constant": lambda _: 1.0,
    "exponential": _exponential,
    "plateaus": _plateaus,
    "robbins-monro": _robbins_monro,
}
"""Factor on the rate as a function of iteration / ``lr_span``.

- ``constant``: 1.
- ``exponential``: $2^{-k/T}$; T is the half-life.
- ``plateaus``: 80 plateaus, log-spaced from 1 to 0.01, over T iterations; 0.01 from then on. The
  schedule of the authors' MATLAB code.
- ``robbins-monro``: $1 / (1 + k/T)$, whose sum diverges and whose squares' sum does not: the
  condition under which stochastic approximation converges (Robbins and Monro, 1951).
"""
