"""The descriptor: an energy given by a bottom-up ConvNet and a Gaussian reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, final

import torch
from torch import Tensor, nn

from ebmkit.core import Energy, Ge, Gt, MinLen, OrInfinite
from ebmkit_convnets.layers import convolutions, image_shape, scale_gradients_by_area
from ebmkit_convnets.weights import initialise_weights

__all__ = ["ConvDescriptor", "feature_count"]

Positive = Annotated[int, Ge(1)]


@final
class ConvDescriptor(Energy):
    r"""The paper's descriptor: a ConvNet tilts a Gaussian reference.

    $$E(x) = \frac{\|x\|^2}{2 s^2} - f(x), \qquad p(x) \propto e^{f(x)} \, N(x; 0, s^2 I)$$

    f is a stack of convolutions, each followed by a leaky ReLU, and a head: ``outputs`` linear
    units over the last layer, summed; or, with ``head = "sum"``, the sum of all responses of the
    last layer (fully convolutional, for textures of any size). ``(B, C, H, W) -> (B,)``, nats.

    The head and the reference are added up in float64: at s = 0.016 both terms of a 64x64 image
    are near 10⁶ nats, where float32 resolves half a nat and no acceptance ratio survives. A
    linear head with summed outputs is evaluated as one dot product with the summed weight rows,
    which is the same function at a hundredth of the cost.

    Args:
        shape: (C, H, W) of the images.
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
        area_scaling: divide the gradient of each convolution's weights by the number of positions it
            is applied at, as the authors' MATLAB code does; Adam does not feel it, SGD does.

    Raises:
        ValueError: the examples are no images, or too small ones for the layers, or the lists differ in
            length.

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
    ) -> None:
        super().__init__()
        if not len(channels) == len(kernels) == len(strides):
            raise ValueError(
                f"channels, kernels and strides describe the same layers, but have "
                f"{len(channels)}, {len(kernels)} and {len(strides)} entries"
            )
        self.reference_std = reference_std
        self.features = convolutions(image_shape(shape)[0], channels, kernels, strides, leak)
        size = feature_count(self.features, shape)
        self.head = nn.Linear(size, outputs) if head == "linear" else None
        initialise_weights(self, weight_std)
        if area_scaling:
            scale_gradients_by_area(self.features, shape)

    def forward(self, x: Tensor) -> Tensor:
        """E(x) in nats and float64, ``(B, C, H, W) -> (B,)``."""
        reference = x.flatten(1).double().square().sum(1) / (2 * self.reference_std**2)
        return reference - self.score(x)

    def score(self, x: Tensor) -> Tensor:
        """f(x) in nats and float64, ``(B, C, H, W) -> (B,)``; high where images are likely."""
        responses: Tensor = self.features(x).flatten(1).double()
        if self.head is None:
            return responses.sum(1)
        weight, bias = self.head.weight.sum(0), self.head.bias.sum()
        return responses @ weight.double() + bias.double()

    @staticmethod
    def conformance() -> Mapping[str, Any]:
        """What ``ebmkit plugins check energies/descriptor`` builds."""
        layers = {"channels": (4, 8), "kernels": (5, 3), "strides": (2, 2)}
        return {**layers, "outputs": 3, "reference_std": 0.3}


def feature_count(features: nn.Sequential, shape: tuple[int, ...]) -> int:
    """How many numbers the last layer gives for one image."""
    try:
        with torch.no_grad():
            responses: Tensor = features(torch.zeros(1, *shape))
    except RuntimeError as error:
        raise ValueError(
            f"images of shape {tuple(shape)} are too small for these kernels and strides: {error}"
        ) from error
    return responses.numel()
