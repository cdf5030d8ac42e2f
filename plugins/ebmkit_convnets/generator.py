"""The generator: a top-down ConvNet from latent factors to an image."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmkit.core import Ge, Gt, LatentGenerator, MinLen
from ebmkit_convnets.weights import initialise_weights

__all__ = ["ConvGenerator"]

Positive = Annotated[int, Ge(1)]
Norm = Literal["batch", "group", "none"]


@final
class ConvGenerator(LatentGenerator):
    r"""The paper's generator: $x = g(z) + \sigma \epsilon$, g a stack of up-convolutions.

    z is projected to ``channels[0]`` maps; every further layer doubles the size by a transposed
    convolution of stride 2; the last gives the image, squashed by tanh into (-1, 1). Hidden
    layers have a normalisation and a leaky ReLU. The smallest maps have the image's size divided
    by 2 to the number of ``channels``: 64 pixels and four channels start at 4x4, 28 pixels and
    two at 7x7, 32 and three at 4x4. ``(B, latents) -> (B, C, H, W)``.

    Normalisation. ``batch`` is the paper's: in training, statistics of the batch (and running
    ones kept for later); in eval mode, so in inference and in ``ebmkit sample``, the running
    ones, so that one image never depends on its neighbours there. ``group`` normalises each
    image by itself (Wu and He, 2018, arXiv 1803.08494): the same function in every mode.

    Args:
        shape: (C, H, W) of the images.
        latents: d, the number of latent factors.
        channels: maps of each layer, top down.
        kernel: size of the up-convolutions in pixels; an even one covers all pixels equally often.
        norm: ``batch``, ``group`` (8 groups, or as many as divide the channels) or ``none``.
        leak: slope of the ReLU below zero; 0 is the plain ReLU.
        noise_std: σ of p(x | z), in the units of x.
        weight_std: weights start from N(0, ``weight_std``²), biases from 0; 0 keeps torch's
            own initialisation.

    Raises:
        ValueError: the image's sides are not divisible by 2 to the number of channels.

    Source: Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408, experiments; the defaults are those of the
    authors' 64x64 scene network (their published code).

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
    ) -> None:
        super().__init__()
        base = _base_size(shape, len(channels))
        self.latent_shape = (latents,)
        self.noise_std = noise_std
        self.base = (channels[0], *base)
        self.project = nn.Linear(latents, channels[0] * base[0] * base[1])
        self.layers = _up_convolutions((*channels, shape[0]), kernel, norm, leak)
        initialise_weights(self, weight_std)

    def forward(self, z: Tensor) -> Tensor:
        """g(z) in (-1, 1), ``(B, latents) -> (B, C, H, W)``."""
        return torch.tanh(self.layers(self.project(z).unflatten(1, self.base)))


class _BatchNorm(nn.BatchNorm2d):
    """Batch normalisation whose running statistics move only when something is learned.

    Looking (a proposal drawn for a picture, a reconstruction measured for the log) must not
    change the model, or logging more often would give other weights.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not torch.is_grad_enabled():
            return functional.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)
        return super().forward(x)


def _base_size(shape: tuple[int, ...], doublings: int) -> tuple[int, int]:
    """Height and width of the smallest maps."""
    factor = 2**doublings
    height, width = shape[1:]
    if height % factor or width % factor:
        raise ValueError(
            f"{doublings} channels double the size {doublings} times, so height and width must be "
            f"multiples of {factor}, but images are {height}x{width}: change channels or the image size"
        )
    return height // factor, width // factor


def _normalisation(norm: Norm, channels: int) -> nn.Module:
    if norm == "batch":
        return _BatchNorm(channels)
    if norm == "group":
        groups = next(groups for groups in (8, 4, 2, 1) if channels % groups == 0)
        return nn.GroupNorm(groups, channels)
    return nn.Identity()


def _up_convolutions(channels: tuple[int, ...], kernel: int, norm: Norm, leak: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(channels):
        layers += [_normalisation(norm, inputs), nn.LeakyReLU(leak)]
        # Padding and output padding that double the size exactly, for odd and even kernels.
        padding, extra = (kernel - 1) // 2, kernel % 2
        layers.append(nn.ConvTranspose2d(inputs, outputs, kernel, 2, padding, extra))
    return nn.Sequential(*layers)
