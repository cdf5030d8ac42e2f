"""What a part claims of itself: how it is built for its checks, which law it has, what it may fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, TypeAlias

import attrs
from torch import Tensor, nn

from ebmkit.messages.brief import brief

__all__ = [
    "BackendClaims",
    "Claims",
    "EncoderClaims",
    "EnergyClaims",
    "Exact",
    "FeaturesClaims",
    "GeneratorClaims",
    "Law",
    "Linear",
    "LinearLaw",
    "MetricClaims",
    "OptimizerClaims",
    "SamplerClaims",
    "SchedulerClaims",
    "SourceClaims",
    "TrackerClaims",
]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Claims:
    """What every kind of part may say of itself.

    Attributes:
        settings: keyword parameters with which the part is built for its checks.
        expected_failures: name of a check to the reason why the part does not pass it. One that
            passes after all is reported as a failure.
        files: for a part that reads files: writes some into an empty folder and returns the settings that
            name them, for example ``{"path": str(folder)}``. The folder lasts as long as a check.
    """

    kind: ClassVar[str]
    settings: Mapping[str, Any] = _NOTHING
    expected_failures: Mapping[str, str] = _NOTHING
    files: Callable[[Path], Mapping[str, Any]] | None = None


@attrs.frozen
class Exact:
    r"""The sampler leaves $\exp(-E / T)$ invariant and forgets where it began: Metropolis-adjusted ones.

    T is the sampler's attribute ``temperature``, 1 without one. Invariance is tested on Gaussian,
    log-exponential, mixture, banana and funnel targets, forgetting on the Gaussian ones.
    """


class LinearLaw(NamedTuple):
    r"""What a discretised diffusion does on a Gaussian: $s \leftarrow A s + \xi$, $\xi \sim N(0, Q)$.

    s is the position, then whatever the sampler remembers besides (velocities): k = d + hidden numbers.

    Attributes:
        transition: A, ``(k, k)``.
        noise: Q, ``(k, k)``.
        hidden: covariance of the remembered numbers at the start of a chain, ``(k - d, k - d)``, mean 0;
            None where k = d.
    """

    transition: Tensor
    noise: Tensor
    hidden: Tensor | None = None

    def __repr__(self) -> str:
        return brief(self)


@attrs.frozen
class Linear:
    r"""An unadjusted sampler, tested against its exact biased law instead of the target.

    On $E(x) = x^T P x / 2$ an unadjusted sampler is linear; its mean and covariance after any number
    of steps follow from one step. Langevin dynamics, for example:

        Linear(lambda sampler, precision: LinearLaw(
            transition=torch.eye(len(precision)) - sampler.step_size**2 / 2 * precision,
            noise=sampler.step_size**2 * torch.eye(len(precision)),
        ))

    Where A depends linearly on P and the position's noise not at all, its first step is known on
    every energy, and is tested on the log-exponential, mixture, banana and funnel targets as well.

    Attributes:
        step: from the sampler and P ``(d, d)`` float64 to the law of one step.
    """

    step: Callable[[Any, Tensor], LinearLaw]


Law: TypeAlias = Exact | Linear


@attrs.frozen(kw_only=True)
class SamplerClaims(Claims):
    """What a sampler says of itself.

    The targets have standard deviations near 1: choose settings with a large step (0.5 to 1 for
    Langevin's), because the errors of a wrong sampler are as small as its steps. Without a
    ``step_size`` among the settings, a sampler that has this parameter gets 0.8. A parameter
    ``temperature`` is tested at 1 and at 2.

    Attributes:
        law: which law the chains have; None leaves the statistics out, which the report says.
        variants: further settings under which the law is tested, each over ``settings``.
        steps: after how many steps a chain has forgotten a start 3 standard deviations away.
        warmup: steps of adaptation before these, if the sampler adapts itself.
        adapted: fields of the state that hold what the adaptation found. While it adapts a chain leaves its
            law: to test that the adapted kernel keeps it, positions are drawn anew and these fields kept.
        random: false for a sampler that draws nothing, such as descent.
        gradients: how many energy evaluations one step costs, from the sampler; None leaves it out.
        crosses_modes: claim that chains find the second mode of a mixture 6 standard deviations away.
    """

    kind: ClassVar[str] = "sampler"
    law: Law | None = None
    variants: tuple[Mapping[str, Any], ...] = ()
    steps: int = 60
    warmup: int = 0
    adapted: tuple[str, ...] = ()
    random: bool = True
    gradients: Callable[[Any], int] | None = None
    crosses_modes: bool = False


@attrs.frozen(kw_only=True)
class EnergyClaims(Claims):
    """What an energy says of itself.

    Attributes:
        shape: of one example it is built for, ``S``.
    """

    kind: ClassVar[str] = "energy"
    shape: tuple[int, ...] = (1, 16, 16)


@attrs.frozen(kw_only=True)
class GeneratorClaims(Claims):
    """What a generator says of itself.

    Attributes:
        shape: of one example it makes, ``S``.
    """

    kind: ClassVar[str] = "generator"
    shape: tuple[int, ...] = (1, 16, 16)


@attrs.frozen(kw_only=True)
class SchedulerClaims(Claims):
    """What a schedule says of itself; it is given the small parts it asks for.

    Attributes:
        parts: the names of the parts in slots that take several, such as ``{"grids": ("4", "16")}``.
    """

    kind: ClassVar[str] = "scheduler"
    parts: Mapping[str, tuple[str, ...]] = _NOTHING


@attrs.frozen(kw_only=True)
class SourceClaims(Claims):
    """What a data source says of itself.

    Attributes:
        bounded: whether examples are images in [-1, 1].
    """

    kind: ClassVar[str] = "source"
    bounded: bool = True


@attrs.frozen(kw_only=True)
class BackendClaims(Claims):
    """What a gradient backend says of itself.

    Attributes:
        energies: makes energies that it knows, in the mode in which they are asked for, each with states
            ``(B, *S)``; it must offer a gradient for each of them.
    """

    kind: ClassVar[str] = "backend"
    energies: Callable[[], Iterable[tuple[nn.Module, Tensor]]] = tuple


@attrs.frozen(kw_only=True)
class EncoderClaims(Claims):
    """What an encoder says of itself.

    Attributes:
        shape: of one example it is built for, ``S``.
    """

    kind: ClassVar[str] = "encoder"
    shape: tuple[int, ...] = (1, 16, 16)


@attrs.frozen(kw_only=True)
class OptimizerClaims(Claims):
    """What an optimizer says of itself.

    Attributes:
        steps: after how many at its rate the loss of a bowl is lower.
    """

    kind: ClassVar[str] = "optimizer"
    steps: int = 50


@attrs.frozen(kw_only=True)
class TrackerClaims(Claims):
    """What a tracker says of itself."""

    kind: ClassVar[str] = "tracker"


@attrs.frozen(kw_only=True)
class MetricClaims(Claims):
    """What a metric says of itself.

    Attributes:
        shape: of the examples that it is checked with, ``S``.
        count: how many of them there are in each set.
    """

    kind: ClassVar[str] = "metric"
    shape: tuple[int, ...] = (1, 16, 16)
    count: int = 64


@attrs.frozen(kw_only=True)
class FeaturesClaims(Claims):
    """What a map to features says of itself.

    Attributes:
        shapes: of images that it takes, ``(C, H, W)``.
    """

    kind: ClassVar[str] = "features"
    shapes: tuple[tuple[int, ...], ...] = ((1, 32, 32), (3, 32, 32), (3, 24, 40))
