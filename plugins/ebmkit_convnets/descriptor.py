"""The descriptor: an energy given by a bottom-up ConvNet and a Gaussian reference."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal, final

import torch
from torch import Tensor, nn

from ebmkit.core import Energy, Ge, Gt, MinLen, OrInfinite
from ebmkit_convnets.activations import Activation, activation_layer
from ebmkit_convnets.axes import channels_and_sides
from ebmkit_convnets.field import describe_field, receptive_field
from ebmkit_convnets.layers import convolutions, scale_gradients_by_area
from ebmkit_convnets.weights import Initialisation, initialise_descriptor

__all__ = ["ConvDescriptor", "feature_count"]

Positive = Annotated[int, Ge(1)]


@final
class ConvDescriptor(Energy):
    r"""The paper's descriptor: a ConvNet tilts a Gaussian reference.

    $$E(x) = \frac{\|x\|^2}{2 s^2} - f(x), \qquad p(x) \propto e^{f(x)} \, N(x; 0, s^2 I)$$

    f is a stack of convolutions, each followed by a leaky ReLU, and a head: ``outputs`` linear
    units over the last layer, summed; or, with ``head = "sum"``, the sum of all responses of the
    last layer (fully convolutional, for textures of any size). ``(B, C, H, W) -> (B,)``, nats. Of sequences,
    ``(B, C, L) -> (B,)``, the convolutions run along their one axis, and a pixel below is a point.

    Neither head lets the units of the last convolution interact, so no two pixels do that do not fit
    into the receptive field of one unit (k kernels, s strides, bottom up):

    $$r = 1 + \sum_l (k_l - 1) \prod_{i < l} s_i$$

    and with average pooling $\sum_{l < L} (s_l - 1) \prod_{i < l} s_i$ more. Three 4x4 layers of stride 2 see
    22 pixels, four see 46, five see 94. A ``hidden`` layer before the head joins all of them.

    The head and the reference are added up in float64: at s = 0.016 both terms of a 64x64 image
    are near 10⁶ nats, where float32 resolves half a nat and no acceptance ratio survives. A
    linear head with summed outputs is evaluated as one dot product with the summed weight rows,
    which is the same function at a hundredth of the cost.

    Args:
        shape: (C, H, W) of the images, or (C, L) of the sequences.
        channels: filters of each convolution, bottom up.
        kernels: their sizes in pixels, odd or even; padded by half.
        strides: their strides (sub-sampling).
        head: ``linear`` or ``sum``.
        outputs: linear units whose sum is f. Under Adam each gets the same gradient, so more
            units mean a head that learns proportionally faster.
        leak: slope of the ReLU below zero; 0 is the plain ReLU.
        reference_std: s, standard deviation of the Gaussian reference in the units of x; ``inf``
            leaves the reference out.
        weight_std: weights start from N(0, ``weight_std``²), biases from 0; 0 keeps torch's
            own initialisation.
        activation: ``leaky-relu``, the paper's; ``relu``, ``elu``, ``silu`` or ``gelu``.
        pool: how a layer of stride s halves: ``stride``, the convolution leaves positions out; ``average``,
            it leaves none out and the activations are averaged over s x s: no checkerboard in the gradient,
            for s² times the multiplications (s times of sequences). Wants odd kernels.
        hidden: units of a layer between the last convolution and the head; 0 for none. All pixels interact
            through it.
        initialisation: ``normal``, by ``weight_std``; ``he``, for each layer the width that keeps the mean
            square through its activation, biases 0; ``auto``, ``normal`` for ``leaky-relu`` and ``relu``,
            whose shape does not depend on the width, and ``he`` for the others, linear at small weights.
        area_scaling: divide the gradient of each convolution's weights by the number of positions it
            is applied at, as the authors' MATLAB code does; Adam does not feel it, SGD does.

    Raises:
        ValueError: the examples are neither images nor sequences, or too small for the layers; the lists
            differ in length; an even kernel before average pooling; a hidden layer without a linear head.

    Source: Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408, section 3 and the experiments; the defaults
    are those of the authors' 64x64 scene network (their published code).

    Examples:
        >>> import torch
        >>> energy = ConvDescriptor((1, 28, 28), channels=(8, 16), kernels=(4, 4), strides=(2, 2))
        >>> energy(torch.zeros(5, 1, 28, 28)).shape
        torch.Size([5])
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        channels: Annotated[tuple[Positive, ...], MinLen(1)] = (64, 128, 256),
        kernels: Annotated[tuple[Positive, ...], MinLen(1)] = (5, 3, 3),
        strides: Annotated[tuple[Positive, ...], MinLen(1)] = (2, 2, 1),
        head: Literal["linear", "sum"] = "linear",
        outputs: Positive = 100,
        leak: Annotated[float, Ge(0)] = 0.2,
        reference_std: Annotated[float, Gt(0), OrInfinite()] = 0.016,
        weight_std: Annotated[float, Ge(0)] = 0.01,
        area_scaling: bool = False,
        activation: Activation = "leaky-relu",
        pool: Literal["stride", "average"] = "stride",
        hidden: Annotated[int, Ge(0)] = 0,
        initialisation: Initialisation = "auto",
    ) -> None:
        super().__init__()
        _refuse(channels, kernels, strides, averaged=pool == "average", joined=hidden > 0, head=head)
        self.reference_std = reference_std
        inputs, sides = channels_and_sides(shape)
        self.shape = shape
        self.receptive_field = _field(kernels, strides, averaged=pool == "average")
        self.features = convolutions(
            inputs,
            channels,
            kernels,
            strides,
            activation=partial(activation_layer, activation, leak),
            axes=len(sides),
            averaged=pool == "average",
        )
        size = feature_count(self.features, shape)
        self.hidden = nn.Sequential()
        if hidden:
            self.hidden = nn.Sequential(nn.Linear(size, hidden), activation_layer(activation, leak))
        self.head = nn.Linear(hidden or size, outputs) if head == "linear" else None
        initialise_descriptor(
            self,
            initialisation,
            std=weight_std,
            activation=activation,
            leak=leak,
            unactivated=[self.features[0]],
        )
        if area_scaling:
            scale_gradients_by_area(self.features, shape)

    def forward(self, x: Tensor) -> Tensor:
        """E(x) in nats and float64, ``(B, *S) -> (B,)``."""
        reference = x.flatten(1).double().square().sum(1) / (2 * self.reference_std**2)
        return reference - self.score(x)

    def score(self, x: Tensor) -> Tensor:
        """f(x) in nats and float64, ``(B, *S) -> (B,)``; high where examples are likely."""
        responses: Tensor = self.features(x).flatten(1)
        responses = self.hidden(responses).double()
        if self.head is None:
            return responses.sum(1)
        weight, bias = self.head.weight.sum(0), self.head.bias.sum()
        return responses @ weight.double() + bias.double()

    def extra_repr(self) -> str:
        """What ``repr`` says of it beside its layers."""
        return describe_field(self.receptive_field, self.shape, whole=len(self.hidden) > 0)

    @staticmethod
    def conformance() -> Mapping[str, Any]:
        """What ``ebmkit plugins check energies/descriptor`` builds."""
        layers = {"channels": (4, 8), "kernels": (5, 3), "strides": (2, 2)}
        return {**layers, "outputs": 3, "reference_std": 0.3}


def _refuse(
    channels: tuple[int, ...],
    kernels: tuple[int, ...],
    strides: tuple[int, ...],
    *,
    averaged: bool,
    joined: bool,
    head: str,
) -> None:
    """Raise ValueError for layers that do not go together."""
    if not len(channels) == len(kernels) == len(strides):
        raise ValueError(
            f"channels, kernels and strides describe the same layers, but have "
            f"{len(channels)}, {len(kernels)} and {len(strides)} entries"
        )
    if averaged and any(kernel % 2 == 0 for kernel in kernels):
        raise ValueError(f"average pooling wants odd kernels, which keep the size of maps, not {kernels}")
    if joined and head == "sum":
        raise ValueError('a hidden layer needs head = "linear": the sum reads maps of any size')


def _field(kernels: tuple[int, ...], strides: tuple[int, ...], *, averaged: bool) -> int:
    """Receptive field of a unit of the last convolution."""
    layers: list[tuple[int, int]] = []
    for kernel, stride in zip(kernels, strides, strict=True):
        layers += [(kernel, 1), (stride, stride)] if averaged else [(kernel, stride)]
    # Nothing but the head, which is linear, reads the last average.
    return receptive_field(layers[:-1] if averaged else layers)


def feature_count(features: nn.Sequential, shape: tuple[int, ...]) -> int:
    """How many numbers the last layer gives for one example."""
    try:
        with torch.no_grad():
            responses: Tensor = features(torch.zeros(1, *shape))
    except RuntimeError as error:
        raise ValueError(
            f"examples of shape {tuple(shape)} are too small for these kernels and strides: {error}"
        ) from error
    return responses.numel()
