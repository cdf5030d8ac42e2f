"""The generator: a top-down ConvNet from latent factors to an image or a sequence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, final

import torch
from torch import Tensor, nn

from ebmkit.core import Ge, Gt, LatentGenerator, MinLen
from ebmkit_convnets.axes import by_sides, channels_and_sides
from ebmkit_convnets.layers import Norm, up_convolutions
from ebmkit_convnets.upsampling import Upsampling, doubling, start_alike
from ebmkit_convnets.weights import initialise_weights

__all__ = ["ConvGenerator", "SpatialGenerator", "base_size", "bounded"]

Positive = Annotated[int, Ge(1)]


@final
class ConvGenerator(LatentGenerator):
    """The paper's generator: x = g(z) + σ ε, g a stack of up-convolutions.

    z is projected to ``channels[0]`` maps; every further layer doubles the size by a transposed
    convolution of stride 2 (or by another ``upsampling``); the last gives the image, squashed by tanh into
    (-1, 1). Hidden layers have a normalisation and a leaky ReLU. The smallest maps have the image's size
    divided by 2 to the number of ``channels``: 64 pixels and four channels start at 4x4, 28 pixels and
    two at 7x7, 32 and three at 4x4. ``(B, latents) -> (B, C, H, W)``. Sequences,
    ``(B, latents) -> (B, C, L)``, are doubled along their one axis, and a pixel below is a point.

    Normalisation. ``batch`` is the paper's: in training, statistics of the batch (and running
    ones kept for later); in eval mode, so in inference and in ``ebmkit sample``, the running
    ones, so that one image never depends on its neighbours there. ``batch-always`` takes the
    batch's own statistics everywhere, as the authors' code does. ``group`` normalises each
    image by itself (Wu and He, 2018, arXiv 1803.08494): the same function in every mode.

    Args:
        shape: (C, H, W) of the images, or (C, L) of the sequences.
        latents: d, the number of latent factors.
        channels: maps of each layer, top down.
        kernel: size of the up-convolutions in pixels; an even one covers all pixels equally often.
        norm: ``batch``, ``batch-always``, ``group`` (8 groups, or as many as divide the channels)
            or ``none``.
        leak: slope of the ReLU below zero; 0 is the plain ReLU.
        noise_std: σ of p(x | z), in the units of x.
        weight_std: weights start from N(0, ``weight_std``²), biases from 0; 0 keeps torch's
            own initialisation.
        upsampling: how a layer doubles the size: ``transposed``, a transposed convolution; ``resize``, values
            repeated to 2x2 and a convolution; ``subpixel``, a convolution to four times the maps, which
            become the pixels of 2x2 and start equal (of sequences, to twice the maps, for two points). The
            last two want an odd kernel and begin without a checkerboard.

    Raises:
        ValueError: the examples are neither images nor sequences, their sides not divisible by 2 to the
            number of channels, or the kernel is even where the upsampling wants an odd one.

    Source: Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408, experiments; the defaults are those of the
    authors' 64x64 scene network (their published code).

    Examples:
        >>> import torch
        >>> generator = ConvGenerator((1, 28, 28), latents=10, channels=(16, 8))
        >>> generator(torch.zeros(5, 10)).shape
        torch.Size([5, 1, 28, 28])
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        latents: Positive = 100,
        channels: Annotated[tuple[Positive, ...], MinLen(1)] = (512, 256, 128, 64),
        kernel: Positive = 5,
        norm: Norm = "batch",
        leak: Annotated[float, Ge(0)] = 0.2,
        noise_std: Annotated[float, Gt(0)] = 0.3,
        weight_std: Annotated[float, Ge(0)] = 0.0,
        upsampling: Upsampling = "transposed",
    ) -> None:
        super().__init__()
        base = base_size(shape, len(channels))
        self.latent_shape = (latents,)
        self.noise_std = noise_std
        self.base = (channels[0], *base)
        self.project = nn.Linear(latents, math.prod(self.base))
        self.layers = up_convolutions((*channels, shape[0]), kernel, norm, leak, upsampling, axes=len(base))
        initialise_weights(self, weight_std)
        start_alike(self)

    def forward(self, z: Tensor) -> Tensor:
        """g(z) in (-1, 1), ``(B, latents) -> (B, *S)``."""
        return bounded(self.layers(self.project(z).unflatten(1, self.base)), like=z)

    @staticmethod
    def conformance() -> Mapping[str, Any]:
        """What ``ebmkit plugins check generators/generator`` builds."""
        return {"latents": 6, "channels": (8, 4)}


def base_size(shape: tuple[int, ...], doublings: int) -> tuple[int, ...]:
    """The sides of the smallest maps.

    Raises:
        ValueError: those of examples of this shape are not divisible so often.
    """
    factor = 2**doublings
    _, sides = channels_and_sides(shape)
    if any(side % factor for side in sides):
        what, its_sides = ("images", "height and width") if len(sides) > 1 else ("sequences", "their length")
        raise ValueError(
            f"these channels double the size {doublings} times, so {its_sides} must be multiples of "
            f"{factor}, but {what} are {by_sides(sides)}: change channels or the size of examples"
        )
    return tuple(side // factor for side in sides)


@final
class SpatialGenerator(LatentGenerator):
    r"""A fully convolutional generator: a map of latents becomes an image of any size.

    $x = g(z) + \sigma \epsilon$ with z a map of ``latents`` channels; every layer doubles the size. For
    224x224 images and four channels z is 7x7: five up-convolutions. The weights know no size, so
    that a learned texture is synthesised larger from a larger z.
    ``(B, latents, h, w) -> (B, C, H, W)``, and of sequences ``(B, latents, l) -> (B, C, L)``.

    Args:
        shape: (C, H, W) of the images, or (C, L) of the sequences.
        latents: channels of z.
        channels: maps of each hidden layer, top down.
        kernel: size of the up-convolutions in pixels.
        norm: ``batch``, ``batch-always``, ``group`` or ``none``, as in ``generator``.
        leak: slope of the ReLU below zero; 0 is the plain ReLU.
        noise_std: σ of p(x | z), in the units of x.
        weight_std: weights start from N(0, ``weight_std``²), biases from 0; 0 keeps torch's
            own initialisation.
        upsampling: ``transposed``, ``resize`` or ``subpixel``, as in ``generator``.

    Raises:
        ValueError: the examples are neither images nor sequences, their sides not divisible by 2 to the
            number of layers, or the kernel is even where the upsampling wants an odd one.

    Source: Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408, the texture experiment; the defaults are
    those of the authors' published code.

    Examples:
        >>> import torch
        >>> generator = SpatialGenerator((3, 224, 224), channels=(16, 8, 8, 8))
        >>> generator.latent_shape, generator(torch.zeros(1, 1, 14, 14)).shape
        ((1, 7, 7), torch.Size([1, 3, 448, 448]))
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        latents: Positive = 1,
        channels: Annotated[tuple[Positive, ...], MinLen(1)] = (512, 256, 128, 64),
        kernel: Positive = 5,
        norm: Norm = "batch",
        leak: Annotated[float, Ge(0)] = 0.2,
        noise_std: Annotated[float, Gt(0)] = 0.3,
        weight_std: Annotated[float, Ge(0)] = 0.0,
        upsampling: Upsampling = "transposed",
    ) -> None:
        super().__init__()
        self.latent_shape = (latents, *base_size(shape, len(channels) + 1))
        self.noise_std = noise_std
        axes = len(self.latent_shape) - 1
        self.layers = nn.Sequential(
            doubling(latents, channels[0], kernel, upsampling, axes=axes),
            *up_convolutions((*channels, shape[0]), kernel, norm, leak, upsampling, axes=axes),
        )
        initialise_weights(self, weight_std)
        start_alike(self)

    def forward(self, z: Tensor) -> Tensor:
        """g(z) in (-1, 1), ``(B, *latent_shape) -> (B, *S)``."""
        return bounded(self.layers(z), like=z)

    @staticmethod
    def conformance() -> Mapping[str, Any]:
        """What ``ebmkit plugins check generators/spatial-generator`` builds."""
        return {"latents": 2, "channels": (8, 4)}


def bounded(a: Tensor, *, like: Tensor) -> Tensor:
    """Tanh in the precision of the latents: bfloat16 would leave pixels 256 values."""
    return torch.tanh(a.to(like.dtype))
