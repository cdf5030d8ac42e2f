"""The layers that descriptors and generators are stacks of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmkit.core import shared_sum, world
from ebmkit_convnets.axes import AVERAGES, CONVOLUTIONS, Convolution
from ebmkit_convnets.upsampling import Upsampling, doubling

__all__ = [
    "Norm",
    "convolutions",
    "scale_gradients_by_area",
    "up_convolutions",
]

Norm: TypeAlias = Literal["batch", "batch-always", "group", "none"]


class _BatchNorm(nn.BatchNorm2d):
    """Batch normalisation whose running statistics move only when something is learned.

    Looking (a proposal drawn for a picture, a reconstruction measured for the log) must not
    change the model, or logging more often would give other weights. Where several processes learn,
    the batch is that of all of them together; looking stays with the process that looks.
    """

    always = False

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - torch's name
        """Nothing: sequences are as welcome as images."""

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
        all_but_channels = (0, *range(2, x.ndim))
        of_channels = (-1, *[1] * (x.ndim - 2))
        mean = shared_sum(wide.sum(all_but_channels)) / count
        centred = wide - mean.view(of_channels)
        variance = shared_sum(centred.square().sum(all_but_channels)) / count
        if not self.always:
            self._track(mean.detach(), variance.detach() * (count / (count - 1)))
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale.view(of_channels) + self.bias.view(of_channels)).to(x.dtype)

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
    axes: int,
    averaged: bool = False,
) -> nn.Sequential:
    """Convolutions, padded by half their kernels, each followed by an activation.

    Args:
        inputs: channels of the examples.
        channels: of each layer.
        kernels: of each layer.
        strides: of each layer.
        activation: makes the layer that follows each convolution.
        axes: of the examples behind their channels, 1 of sequences and 2 of images.
        averaged: convolve at every position and average over as many as the stride along each axis after
            the activation, instead of leaving positions out.
    """
    layers: list[nn.Module] = []
    for outputs, kernel, stride in zip(channels, kernels, strides, strict=True):
        step = 1 if averaged else stride
        layers += [CONVOLUTIONS[axes](inputs, outputs, kernel, step, padding=(kernel - 1) // 2), activation()]
        if averaged and stride > 1:
            # What does not fill a last window is averaged, too.
            layers.append(AVERAGES[axes](stride, ceil_mode=True))
        inputs = outputs
    return nn.Sequential(*layers)


def up_convolutions(
    channels: Sequence[int],
    kernel: int,
    norm: Norm,
    leak: float,
    how: Upsampling = "transposed",
    *,
    axes: int,
) -> nn.Sequential:
    """Normalisation, leaky ReLU, doubling: once for each pair of neighbours in ``channels``."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(channels):
        upper = doubling(inputs, outputs, kernel, how, axes=axes)
        layers += [_normalisation(norm, inputs), nn.LeakyReLU(leak), upper]
    return nn.Sequential(*layers)


def scale_gradients_by_area(features: nn.Sequential, shape: tuple[int, ...]) -> None:
    """Divide each convolution's weight gradient by the number of positions it is applied at."""
    x = torch.zeros(1, *shape)
    for layer in features:
        with torch.no_grad():
            x = layer(x)
        if isinstance(layer, Convolution):
            area = x[0, 0].numel()
            for parameter in layer.parameters():
                parameter.register_hook(lambda gradient, area=area: gradient / area)  # type: ignore[no-untyped-call]
