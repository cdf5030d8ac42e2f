"""Wrong metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import attrs
import torch
from torch import Tensor

from ebmkit.core import Figure, Material, Metric, as_rows, standard_error
from ebmkit.testing import MetricClaims
from tests.testing.wrong import wrong

CLAIMS = MetricClaims(shape=(1, 8, 8), count=16)


def _means(examples: Any) -> Tensor:
    """The mean of each example, ``(n,)``."""
    return as_rows(examples[torch.arange(len(examples))]).mean(1)


@attrs.frozen(kw_only=True)
class Brightness(Metric):
    """Right: how much brighter generated images are than real ones."""

    def measure(self, material: Material) -> Sequence[Any]:
        made, real = _means(material.generated), _means(material.examples("real"))
        return [self.figure(made, real)]

    def figure(self, made: Tensor, real: Tensor) -> Any:
        difference = float(made.mean() - real.mean())
        return Figure("brightness", difference, standard_error(made), len(made))


@wrong(CLAIMS, "figures")
@attrs.frozen(kw_only=True)
class NotANumber(Brightness):
    """0 / 0, where a set has no spread."""

    def figure(self, made: Tensor, real: Tensor) -> Any:
        value = float((made.mean() - real.mean()) / (made - made).std())
        return Figure("brightness", value * 0, None, len(made))


@wrong(CLAIMS, "figures")
@attrs.frozen(kw_only=True)
class NegativeError(Brightness):
    """An error with a sign."""

    def figure(self, made: Tensor, real: Tensor) -> Any:
        right = super().figure(made, real)
        return attrs.evolve(right, error=-right.error)


@wrong(CLAIMS, "figures")
@attrs.frozen(kw_only=True)
class CountsBothSets(Brightness):
    """n of both sets together."""

    def figure(self, made: Tensor, real: Tensor) -> Any:
        return attrs.evolve(super().figure(made, real), count=len(made) + len(real))


@wrong(CLAIMS, "figures")
@attrs.frozen(kw_only=True)
class ValueIsATensor(Brightness):
    """A tensor for the value, which no JSON holds."""

    def figure(self, made: Tensor, real: Tensor) -> Any:
        return attrs.evolve(super().figure(made, real), value=made.mean() - real.mean())


@wrong(CLAIMS, "figures")
@attrs.frozen(kw_only=True)
class PlainNumbers(Brightness):
    """A number instead of a figure."""

    def figure(self, made: Tensor, real: Tensor) -> Any:
        return super().figure(made, real).value


@wrong(CLAIMS, "figures")
@attrs.frozen(kw_only=True)
class OneNameTwice(Brightness):
    """Two figures of one name."""

    def measure(self, material: Material) -> Sequence[Any]:
        return [*super().measure(material), *super().measure(material)]


@wrong(CLAIMS, "figures")
@attrs.frozen(kw_only=True)
class Silent(Brightness):
    """Nothing at all where the difference is small."""

    def measure(self, material: Material) -> Sequence[Any]:
        return [each for each in super().measure(material) if abs(each.value) > 1]


@wrong(CLAIMS, "needs")
@attrs.frozen(kw_only=True)
class NeedsMoreThanItSays(Brightness):
    """Compares with held-out images and does not ask for them."""

    def measure(self, material: Material) -> Sequence[Any]:
        return [self.figure(_means(material.generated), _means(material.examples("held_out")))]


@wrong(CLAIMS, "needs")
@attrs.frozen(kw_only=True)
class NeedsWhatIsNotThere(Brightness):
    """Asks for a set of a name that there is not: it would be left out always."""

    needs: ClassVar[Any] = ("real", "validation")


@wrong(CLAIMS, "deterministic")
@attrs.frozen(kw_only=True)
class DrawsItsSubset(Brightness):
    """Half of the images, drawn from torch's global generator."""

    def figure(self, made: Tensor, real: Tensor) -> Any:
        return super().figure(made[torch.randperm(len(made))[: len(made) // 2]], real)


@wrong(CLAIMS, "deterministic")
@attrs.frozen(kw_only=True)
class SeedsTorch(Brightness):
    """Draws the same subset always, by seeding torch's global generator."""

    def figure(self, made: Tensor, real: Tensor) -> Any:
        torch.manual_seed(0)
        return super().figure(made[torch.randperm(len(made))[: len(made) // 2]], real)


@wrong(CLAIMS, "deterministic")
@attrs.frozen(kw_only=True)
class RemembersTheReal(Brightness):
    """Keeps what the first real set came to, for speed, and uses it for every other."""

    known: Any = attrs.field(default=None, init=False)

    def figure(self, made: Tensor, real: Tensor) -> Any:
        if self.known is None:
            object.__setattr__(self, "known", real)
        return super().figure(made, self.known)


@wrong(CLAIMS, "material-unchanged")
@attrs.frozen(kw_only=True)
class CentresInPlace(Brightness):
    """Takes the mean off the real images themselves."""

    def measure(self, material: Material) -> Sequence[Any]:
        real: Any = material.examples("real")
        real.sub_(real.mean(0))
        return super().measure(material)


@wrong(CLAIMS, "material-unchanged")
@attrs.frozen(kw_only=True)
class NormalisesFeatures(Brightness):
    """Divides features by their length in place; the metrics after it get those."""

    needs: ClassVar[Any] = ("real", "features")

    def measure(self, material: Material) -> Sequence[Any]:
        made, real = material.features_of("generated"), material.features_of("real")
        for each in (made, real):
            each.div_(each.norm(dim=1, keepdim=True))
        return [self.figure(made.mean(1), real.mean(1))]


@wrong(CLAIMS, "parameters")
@attrs.frozen(kw_only=True)
class Undocumented(Brightness):
    """A key without a line."""

    power: float = 1.0
