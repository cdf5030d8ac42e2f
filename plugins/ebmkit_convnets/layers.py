"""The layers that descriptors and generators are stacks of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmkit.core import shared_sum, world
from ebmkit_convnets.upsampling import Upsampling, doubling

__all__ = [
    "Norm",
    "convolutions",
    "image_shape",
    "scale_gradients_by_area",
    "up_convolutions",
]

Norm: TypeAlias = Literal["batch", "batch-always", "group", "none"]


def image_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(C, H, W), if that is the shape of an image.

    Raises:
        ValueError: it is that of something else.
    """
    if len(shape) != 3:  # noqa: PLR2004
        raise ValueError(f"it is a network for images (C, H, W), but examples have the shape {tuple(shape)}")
    channels, height, width = shape
    return channels, height, width


class _BatchNorm(nn.BatchNorm2d):
    """Batch normalisation whose running statistics move only when something is learned.

    Looking (a proposal drawn for a picture, a reconstruction measured for the log) must not
    change the model, or logging more often would give other weights. Where several processes learn,
    the batch is that of all of them together; looking stays with the process that looks.
    """

    always = False

    def forward(self, x: Tensor) -> Tensor:
        if self.training and torch.is_grad_enabled() and world().size > 1:
            return self._over_processes(x)
        if self.always or (self.training and not torch.is_grad_enabled()):
            return functional.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)
        return super().forward(x)

    def _over_processes(self, x: Tensor) -> Tensor:
        """As ``nn.BatchNorm2d`` in training, with the mean and the variance of all processes' rows."""
        count = shared_sum(torch.tensor(x.numel() / x.shape[1], device=x.device))
        wide = x if x.dtype == torch.float64 else x.float()
        mean = shared_sum(wide.sum((0, 2, 3))) / count
        centred = wide - mean[:, None, None]
        variance = shared_sum(centred.square().sum((0, 2, 3))) / count
        if not self.always:
            self._track(mean.detach(), variance.detach() * (count / (count - 1)))
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics."""
        for running, now in ((self.running_mean, mean), (self.running_var, variance)):
            if running is not None:
                running.lerp_(now.to(running), self.momentum or 0.0)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1


class _AlwaysBatchNorm(_BatchNorm):
    """The statistics of the batch in every mode, as in the authors' code."""

    always = True


def _normalisation(norm: Norm, channels: int) -> nn.Module:
    if norm == "batch":
        return _BatchNorm(channels)
    if norm == "batch-always":
        return _AlwaysBatchNorm(channels)
    if norm == "group":
        groups = next(groups for groups in (8, 4, 2, 1) if channels % groups == 0)
        return nn.GroupNorm(groups, channels)
    return nn.Identity()


def convolutions(
    inputs: int,
    channels: Sequence[int],
    kernels: Sequence[int],
    strides: Sequence[int],
    *,
    activation: Callable[[], nn.Module],
    averaged: bool = False,
) -> nn.Sequential:
    """Convolutions, padded by half their kernels, each followed by an activation.

    Args:
        inputs: channels of the images.
        channels: of each layer.
        kernels: of each layer.
        strides: of each layer.
        activation: makes the layer that follows each convolution.
        averaged: convolve at every position and average over stride x stride after the activation, instead
            of leaving positions out.
    """
    layers: list[nn.Module] = []
    for outputs, kernel, stride in zip(channels, kernels, strides, strict=True):
        step = 1 if averaged else stride
        layers += [nn.Conv2d(inputs, outputs, kernel, step, padding=(kernel - 1) // 2), activation()]
        if averaged and stride > 1:
            # What does not fill a last window is averaged, too.
            layers.append(nn.AvgPool2d(stride, ceil_mode=True))
        inputs = outputs
    return nn.Sequential(*layers)


def up_convolutions(
    channels: Sequence[int], kernel: int, norm: Norm, leak: float, how: Upsampling = "transposed"
) -> nn.Sequential:
    """Normalisation, leaky ReLU, doubling: once for each pair of neighbours in ``channels``."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(channels):
        layers += [_normalisation(norm, inputs), nn.LeakyReLU(leak), doubling(inputs, outputs, kernel, how)]
    return nn.Sequential(*layers)


def scale_gradients_by_area(features: nn.Sequential, shape: tuple[int, ...]) -> None:
    """Divide each convolution's weight gradient by the number of positions it is applied at."""
    x = torch.zeros(1, *shape)
    for layer in features:
        with torch.no_grad():
            x = layer(x)
        if isinstance(layer, nn.Conv2d):
            area = x.shape[-2] * x.shape[-1]
            for parameter in layer.parameters():
                parameter.register_hook(lambda gradient, area=area: gradient / area)  # type: ignore[no-untyped-call]
