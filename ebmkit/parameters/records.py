"""Parameters that are tables of a run file: factors that move over iterations, what a loss sees.

No torch is imported, so that a run file is checked without it.
"""

from __future__ import annotations

from typing import Annotated, Literal, final

import attrs

from ebmkit.parameters.ranges import Checked, Ge, Le

__all__ = ["Annealing", "LossAugmentation", "Ramp"]

Factor = Annotated[float, Ge(0)]
Iterations = Annotated[int, Ge(0)]


@final
@attrs.frozen(kw_only=True)
class Ramp(Checked):
    r"""A factor that goes from one value to another while iterations pass: a pure function of their number.

    With $u = (k - a) / n$ at iteration k (counted from 0), a iterations before and n during the change, it is
    ``start`` for u <= 0, ``end`` for u >= 1, and between them

    $$f = s + u (e - s) \quad \text{(linear)}, \qquad f = s^{1 - u} e^u \quad \text{(exponential)}$$

    Args:
        start: s, the factor before the change.
        end: e, the factor after it.
        after: a, iterations before the change begins.
        over: n, iterations of the change; 0 is a jump.
        shape: ``linear`` or ``exponential``, which needs both ends above 0.

    Raises:
        ValueError: an exponential change from or to 0.

    Examples:
        >>> cooling = Ramp(end=0.01, after=800, over=400, shape="exponential")
        >>> [round(cooling.at(k), 4) for k in (0, 800, 1000, 1200, 2600)]
        [1.0, 1.0, 0.1, 0.01, 0.01]
    """

    start: Factor = 1.0
    end: Factor
    after: Iterations = 0
    over: Iterations = 0
    shape: Literal["linear", "exponential"] = "linear"

    def __attrs_post_init__(self) -> None:
        """Refuse what no number is."""
        super().__attrs_post_init__()
        if self.shape == "exponential" and not min(self.start, self.end) > 0:
            raise ValueError('start and end must be > 0 for shape = "exponential"; "linear" reaches 0')

    def at(self, iteration: int) -> float:
        """The factor at an iteration, counted from 0."""
        if iteration < self.after:
            return self.start
        if iteration >= self.after + self.over:
            return self.end
        share = (iteration - self.after) / self.over
        if self.shape == "linear":
            return self.start + share * (self.end - self.start)
        return float(self.start ** (1 - share) * self.end**share)


@final
@attrs.frozen(kw_only=True)
class Annealing(Checked):
    """How a chain changes while iterations pass: factors on what its own table says.

    Factors, so that they go with any sampler's own values, and with a step that a rollback has lowered. A
    factor of 0.01 on the temperature is a tenth of the noise.

    Args:
        temperature: on the sampler's ``temperature``.
        step_size: on its ``step_size``.
        steps: on the chain's ``steps``, rounded, one at least.
    """

    temperature: Ramp | None = None
    step_size: Ramp | None = None
    steps: Ramp | None = None


@final
@attrs.frozen(kw_only=True)
class LossAugmentation(Checked):
    """How an energy's loss sees images: the observed and the revised changed at random by the same law.

    Only the loss does: chains and generators meet images as they are, and an energy of few data cannot learn
    them by heart. All of it is off by default.

    Args:
        translation: most pixels by which an image is shifted along each axis; what comes in is 0.
        brightness: most that is added to all pixels of an image, in the units of x, or taken off.
        cutout: side of a square that is set to 0, as a share of the image's; its centre is anywhere.

    Source: Zhao, Liu, Lin, Zhu, Han, 2020, arXiv 2006.10738.
    """

    translation: Annotated[int, Ge(0)] = 0
    brightness: Annotated[float, Ge(0)] = 0.0
    cutout: Annotated[float, Ge(0), Le(1)] = 0.0

    def __bool__(self) -> bool:
        """Whether the loss sees other images than there are."""
        return bool(self.translation or self.brightness or self.cutout)
