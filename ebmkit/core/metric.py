r"""Metrics: how good a set of samples is, as numbers with an error."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, TypeAlias, final

import attrs
import torch
from torch import Tensor

from ebmkit.core.features import ExampleSet, Features, describe
from ebmkit.core.rng import Rng
from ebmkit.errors import DataError
from ebmkit.messages.brief import brief
from ebmkit.parameters.ranges import Checked

__all__ = ["Figure", "Material", "Metric", "Need", "standard_error"]

Need: TypeAlias = Literal["real", "second", "training", "held_out", "features", "reconstruct"]
"""What a metric may ask for beside the generated examples: a name in ``Material``."""

_MISSING = {
    "real": "real examples to compare with",
    "second": "a second set of real examples",
    "training": "the training examples",
    "held_out": "held-out examples, kept back from training",
    "features": "features",
    "reconstruct": "a generator that reconstructs examples",
}


@final
@attrs.frozen
class Figure:
    """One number of an evaluation, with all that is needed to read it.

    Attributes:
        name: such as ``kid``.
        value: the number.
        error: its standard error; None where none is known.
        count: generated examples it was made of, n.
        features: the name of the features; None where it was made without.
    """

    name: str
    value: float
    error: float | None
    count: int
    features: str | None = None

    def __str__(self) -> str:
        error = "" if self.error is None else f" ± {self.error:.2g}"
        made_of = f"n = {self.count}" if self.features is None else f"{self.features}, n = {self.count}"
        return f"{self.name}({made_of}) = {self.value:.4g}{error}"


@final
@attrs.define(kw_only=True, eq=False)
class Material:
    """What there is to judge, and what to judge it by. Sets may be tensors or sources, ``(n, *S)``.

    Attributes:
        generated: the samples.
        real: examples of the data that they are compared with.
        second: other real examples, which show what two real sets differ by.
        training: what was learned from.
        held_out: examples that were not.
        features: the map in whose space images are compared.
        reconstruct: from examples ``(B, *S)`` to what the model makes of them, of the same shape.
        device: where features are computed; the CPU if None.
        rng: the random numbers of metrics that need some.
        described: the features of sets by their names, as far as they are known; filled as they are computed.
    """

    generated: ExampleSet
    real: ExampleSet | None = None
    second: ExampleSet | None = None
    training: ExampleSet | None = None
    held_out: ExampleSet | None = None
    features: Features | None = None
    reconstruct: Callable[[Tensor], Tensor] | None = None
    device: torch.device | None = None
    rng: Rng = attrs.field(factory=lambda: Rng(0))
    described: dict[str, Tensor] = attrs.field(factory=dict)

    def __repr__(self) -> str:
        return brief(self)

    def lacks(self, metric: Metric) -> list[str]:
        """What a metric needs and is not here, in words for a message."""
        return [_MISSING[need] for need in metric.needs if getattr(self, need) is None]

    def examples(self, name: str) -> ExampleSet:
        """One of the sets by its name.

        Raises:
            DataError: it is not there.
        """
        found: ExampleSet | None = getattr(self, name)
        if found is None:
            raise DataError(f"this needs {_MISSING[name]}")
        return found

    def features_of(self, name: str) -> Tensor:
        """The features of one of the sets, ``(n, d)``, computed once.

        Sets that are the same object are described once.

        Raises:
            DataError: the set or the features are not there.
        """
        if name not in self.described:
            self.described[name] = self._features_of(name)
        return self.described[name]

    def _features_of(self, name: str) -> Tensor:
        examples = self.examples(name)
        for other, known in self.described.items():
            if getattr(self, other, None) is examples:
                return known
        if self.features is None:
            raise DataError(f"this needs {_MISSING['features']}")
        return describe(self.features, examples, device=self.device)

    def label(self) -> str | None:
        """The name of the features, for figures made with them."""
        return None if self.features is None else self.features.name


class Metric(Checked, ABC):
    """A way to judge generated examples; it holds settings and nothing else.

    Write it as a frozen attrs class; its keyword parameters are its TOML keys.

    Attributes:
        needs: what it asks for beside the generated examples; where that is missing it is left out.
        better: which values of its first figure are: the lower ones, or the higher ones.
    """

    __attrs_attrs__: ClassVar[Any]
    needs: ClassVar[tuple[Need, ...]] = ("real",)
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    @abstractmethod
    def measure(self, material: Material) -> Sequence[Figure]:
        """The figures, most important first.

        Raises:
            DataError: there are too few examples, or they have the wrong shape.
        """


def standard_error(values: Tensor) -> float | None:
    """Of the mean of independent values, ``(n,)``; None of fewer than two."""
    return float(values.double().std()) / math.sqrt(len(values)) if len(values) > 1 else None
