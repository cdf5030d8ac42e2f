"""A residual descriptor: it sees all of an image, or much of a sequence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, final

from torch import Tensor, nn

from ebmkit.core import Energy, Ge, Gt, MinLen, OrInfinite
from ebmkit_convnets.activations import Activation, activation_layer
from ebmkit_convnets.axes import AVERAGES, CONVOLUTIONS, Convolution, by_sides, channels_and_sides
from ebmkit_convnets.field import describe_field, receptive_field
from ebmkit_convnets.spectral import normalise
from ebmkit_convnets.weights import initialise_descriptor

__all__ = ["ResNetDescriptor"]

Positive = Annotated[int, Ge(1)]


@final
class ResNetDescriptor(Energy):
    r"""A residual ConvNet tilts a Gaussian reference, or none.

    $$E(x) = \frac{\|x\|^2}{2 s^2} - f(x)$$

    f is a 3x3 convolution, residual blocks $h + W_2 \phi(W_1 \phi(h))$ of two 3x3 convolutions, each
    but the last followed by 2x2 average pooling, and a head: ``outputs`` linear units of $\phi(h)$,
    summed. Where a block changes the number of channels its shortcut is a 1x1 convolution.
    ``(B, C, H, W) -> (B,)``, nats. Of sequences, ``(B, C, L) -> (B,)``, convolutions and averages run along
    their one axis, and a pixel below is a point.

    With N blocks the receptive field of a unit of the last convolution is

    $$r = 9 \cdot 2^{N-1} - 2,$$

    34 pixels for three and 70 for four. No pixel is skipped by a stride, so none gets a larger share of the
    gradient than its neighbours.

    Spectral normalisation divides each convolution's weight by its largest singular value, so that only the
    head sets the scale of f; it stands in for the Gaussian reference (``reference_std = inf``). Its power
    iteration advances once an update and stands still in chains.

    Args:
        shape: (C, H, W) of the images, or (C, L) of the sequences.
        channels: of each block, bottom up.
        activation: φ: ``silu``, ``gelu``, ``elu``, ``relu`` or ``leaky-relu``.
        leak: slope of ``leaky-relu`` below zero.
        head: ``sum`` adds the last layer up over its positions, channel by channel, before the linear units:
            f is then of examples of any size. ``linear`` gives each position weights of its own.
        outputs: linear units whose sum is f; under Adam more of them learn proportionally faster.
        spectral_norm: normalise every convolution.
        reference_std: s, standard deviation of the Gaussian reference in the units of x; ``inf`` leaves the
            reference out.

    Raises:
        ValueError: the examples are neither images nor sequences, or too small to be halved that often.

    Source: He, Zhang, Ren, Sun, 2016, arXiv 1603.05027 (blocks that begin with the activation); Miyato,
    Kataoka, Koyama, Yoshida, 2018, arXiv 1802.05957 (spectral normalisation).

    Examples:
        >>> import torch
        >>> energy = ResNetDescriptor((1, 32, 32), channels=(8, 16, 16))
        >>> energy(torch.zeros(5, 1, 32, 32)).shape, energy.receptive_field
        (torch.Size([5]), 34)
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        channels: Annotated[tuple[Positive, ...], MinLen(1)] = (32, 64, 128, 128),
        activation: Activation = "silu",
        leak: Annotated[float, Ge(0)] = 0.2,
        head: Literal["sum", "linear"] = "sum",
        outputs: Positive = 1,
        spectral_norm: bool = True,
        reference_std: Annotated[float, Gt(0), OrInfinite()] = float("inf"),
    ) -> None:
        super().__init__()
        inputs, sides = channels_and_sides(shape)
        self.shape = shape
        halvings = len(channels) - 1
        if min(sides) < 2**halvings:
            raise ValueError(
                f"{len(channels)} blocks halve the size {halvings} times, but examples are "
                f"{by_sides(sides)}: fewer channels"
            )
        self.reference_std = reference_std
        self.sums = head == "sum"
        self.stem: Convolution = CONVOLUTIONS[len(sides)](inputs, channels[0], 3, padding=1)
        widths = zip((channels[0], *channels), channels, strict=False)
        blocks = [
            _Block(*pair, activation_layer(activation, leak), axes=len(sides), halves=number < halvings)
            for number, pair in enumerate(widths)
        ]
        self.blocks = nn.Sequential(*blocks)
        self.last = activation_layer(activation, leak)
        positions = 1 if self.sums else math.prod(_halved(side, halvings) for side in sides)
        self.head = nn.Linear(channels[-1] * positions, outputs)
        unactivated = [block.shortcut for block in blocks]
        initialise_descriptor(
            self, "he", std=0.0, activation=activation, leak=leak, unactivated=[self.stem, *unactivated]
        )
        if spectral_norm:
            for module in list(self.modules()):
                if isinstance(module, Convolution):
                    normalise(module)

    def forward(self, x: Tensor) -> Tensor:
        """E(x) in nats and float64, ``(B, *S) -> (B,)``."""
        reference = x.flatten(1).double().square().sum(1) / (2 * self.reference_std**2)
        return reference - self.score(x)

    def score(self, x: Tensor) -> Tensor:
        """f(x) in nats and float64, ``(B, *S) -> (B,)``; high where examples are likely."""
        maps: Tensor = self.last(self.blocks(self.stem(x))).double()
        responses = maps.sum(tuple(range(2, maps.ndim))) if self.sums else maps.flatten(1)
        weight, bias = self.head.weight.sum(0), self.head.bias.sum()
        return responses @ weight.double() + bias.double()

    @property
    def receptive_field(self) -> int:
        """How many pixels a side, or points, one position of the last layer reads."""
        block, pool = [(3, 1), (3, 1)], [(2, 2)]
        return receptive_field([(3, 1), *(block + pool) * (len(self.blocks) - 1), *block])

    def extra_repr(self) -> str:
        """What ``repr`` says of it beside its layers."""
        return describe_field(self.receptive_field, self.shape, whole=False)

    @staticmethod
    def conformance() -> Mapping[str, Any]:
        """What ``ebmkit plugins check energies/resnet`` builds."""
        return {"channels": (4, 6), "outputs": 3, "reference_std": 0.3, "spectral_norm": True}


def _halved(side: int, times: int) -> int:
    """The side after so many poolings that leave nothing out."""
    return -(-side // (1 << times))


class _Block(nn.Module):
    """h + W₂ φ(W₁ φ(h)) and average pooling, ``(B, inputs, h, w) -> (B, outputs, h / 2, w / 2)``."""

    def __init__(self, inputs: int, outputs: int, activation: nn.Module, *, axes: int, halves: bool) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[axes]
        first, second = (convolution(width, outputs, 3, padding=1) for width in (inputs, outputs))
        self.branch = nn.Sequential(activation, first, activation, second)
        self.shortcut = nn.Identity() if inputs == outputs else convolution(inputs, outputs, 1)
        self.pool = AVERAGES[axes](2, ceil_mode=True) if halves else nn.Identity()

    def forward(self, h: Tensor) -> Tensor:
        pooled: Tensor = self.pool(self.shortcut(h) + self.branch(h))
        return pooled
