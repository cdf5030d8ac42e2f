"""Descriptor and generator of labelled examples: one network for all classes, told apart at its top."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, final

import torch
from torch import Tensor, nn

from ebmkit.core import ConditionalEnergy, ConditionalGenerator, Ge, Gt, MinLen, OrInfinite
from ebmkit_convnets.axes import channels_and_sides
from ebmkit_convnets.descriptor import feature_count
from ebmkit_convnets.generator import base_size, bounded
from ebmkit_convnets.layers import Norm, convolutions, up_convolutions
from ebmkit_convnets.weights import initialise_weights

__all__ = ["ClassDescriptor", "ClassGenerator"]

Positive = Annotated[int, Ge(1)]


@final
class ClassDescriptor(ConditionalEnergy):
    r"""The paper's descriptor with a head for each class.

    $$E(x, c) = \frac{\|x\|^2}{2 s^2} - \langle u + v_c, \phi(x) \rangle - b_c$$

    $\phi$ are the responses of a stack of convolutions, each followed by a leaky ReLU; u is shared, $v_c$ the
    class's own. Without a class it is the marginal energy, $-\log \sum_c \exp(-E(x, c))$, for one pass
    through the network. ``(B, C, H, W) -> (B,)`` or ``(B, C, L) -> (B,)``, nats, in float64 as
    ``descriptor``.

    Args:
        shape: (C, H, W) of the images, or (C, L) of the sequences.
        classes: how many the data have.
        channels: filters of each convolution, bottom up.
        kernels: their sizes in pixels, odd or even; padded by half.
        strides: their strides (sub-sampling).
        outputs: linear units, for u and for each $v_c$, that are summed. Under Adam each gets the same
            gradient, so more units mean a head that learns proportionally faster.
        leak: slope of the ReLU below zero; 0 is the plain ReLU.
        reference_std: s, standard deviation of the Gaussian reference in the units of x; ``inf``
            leaves the reference out.
        weight_std: weights start from N(0, ``weight_std``²), biases from 0; 0 keeps torch's
            own initialisation.

    Raises:
        ValueError: the data have no classes, the examples are neither images nor sequences, or too small for
            the layers, or the lists differ in length.

    Source: the projection onto classes is that of Miyato, Koyama, 2018, arXiv 1802.05637, the marginal energy
    that of Grathwohl et al., 2020, arXiv 1912.03263.

    Examples:
        >>> import torch
        >>> energy = ClassDescriptor((1, 28, 28), 3, channels=(8, 16), kernels=(4, 4), strides=(2, 2))
        >>> energy.given(torch.tensor([2]))(torch.zeros(5, 1, 28, 28)).shape
        torch.Size([5])
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        *,
        channels: Annotated[tuple[Positive, ...], MinLen(1)] = (64, 128, 256),
        kernels: Annotated[tuple[Positive, ...], MinLen(1)] = (5, 3, 3),
        strides: Annotated[tuple[Positive, ...], MinLen(1)] = (2, 2, 1),
        outputs: Positive = 100,
        leak: Annotated[float, Ge(0)] = 0.2,
        reference_std: Annotated[float, Gt(0), OrInfinite()] = 0.016,
        weight_std: Annotated[float, Ge(0)] = 0.01,
    ) -> None:
        super().__init__()
        if not len(channels) == len(kernels) == len(strides):
            raise ValueError(
                f"channels, kernels and strides describe the same layers, but have "
                f"{len(channels)}, {len(kernels)} and {len(strides)} entries"
            )
        self.classes = _some(classes)
        self.reference_std = reference_std
        inputs, sides = channels_and_sides(shape)
        self.features = convolutions(
            inputs, channels, kernels, strides, activation=partial(nn.LeakyReLU, leak), axes=len(sides)
        )
        size = feature_count(self.features, shape)
        self.head = nn.Linear(size, outputs)
        self.class_heads = nn.ModuleList(nn.Linear(size, outputs) for _ in range(classes))
        initialise_weights(self, weight_std)

    def conditional(self, x: Tensor, condition: Tensor) -> Tensor:
        """E(x, c) in nats and float64, ``(B, *S), (B,) int64 -> (B,)``."""
        return self._reference(x) - self.scores(x).gather(1, condition[:, None])[:, 0]

    def forward(self, x: Tensor) -> Tensor:
        """The marginal energy in nats and float64, ``(B, *S) -> (B,)``."""
        return self._reference(x) - self.scores(x).logsumexp(1)

    def scores(self, x: Tensor) -> Tensor:
        """The score of each class, in nats and float64, ``(B, *S) -> (B, classes)``.

        $p(c | x)$ is its softmax: a trained descriptor classifies.
        """
        responses = self.features(x).flatten(1).double()
        heads = [self.head, *self.class_heads]
        weights = torch.stack([head.weight.sum(0) for head in heads]).double()
        biases = torch.stack([head.bias.sum() for head in heads]).double()
        shared, own = responses @ weights[:1].T + biases[:1], responses @ weights[1:].T + biases[1:]
        scores: Tensor = shared + own
        return scores

    def _reference(self, x: Tensor) -> Tensor:
        return x.flatten(1).double().square().sum(1) / (2 * self.reference_std**2)

    @staticmethod
    def conformance() -> Mapping[str, Any]:
        """What ``ebmkit plugins check energies/class-descriptor`` builds."""
        layers = {"channels": (4, 8), "kernels": (5, 3), "strides": (2, 2)}
        return {**layers, "outputs": 3, "reference_std": 0.3}


@final
class ClassGenerator(ConditionalGenerator):
    r"""The paper's generator, started from a map of its own for each class.

    $x = g(z, c) + \sigma \epsilon$: a linear projection of z plus that of the class (together that of z and a
    one-hot c), then as many doublings as ``channels``, then tanh.
    ``(B, latents) -> (B, C, H, W)`` or ``(B, latents) -> (B, C, L)``.

    Args:
        shape: (C, H, W) of the images, or (C, L) of the sequences; the sides divisible by 2 to the number
            of channels.
        classes: how many the data have.
        latents: length of z.
        channels: maps of each layer, top down.
        kernel: size of the up-convolutions in pixels; an even one covers all pixels equally often.
        norm: ``batch``, ``batch-always``, ``group`` or ``none``, as in ``generator``.
        leak: slope of the ReLU below zero; 0 is the plain ReLU.
        noise_std: σ of p(x | z, c), in the units of x.
        weight_std: weights start from N(0, ``weight_std``²), biases from 0; 0 keeps torch's
            own initialisation.

    Raises:
        ValueError: the data have no classes, the examples are neither images nor sequences, or their sides
            not divisible by 2 to the number of channels.

    Source: class and latents side by side as in Mirza, Osindero, 2014, arXiv 1411.1784.

    Examples:
        >>> import torch
        >>> generator = ClassGenerator((1, 28, 28), 3, latents=10, channels=(16, 8))
        >>> generator.given(torch.tensor([2]))(torch.zeros(5, 10)).shape
        torch.Size([5, 1, 28, 28])
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
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
        self.classes = _some(classes)
        base = base_size(shape, len(channels))
        self.latent_shape = (latents,)
        self.noise_std = noise_std
        self.base = (channels[0], *base)
        self.project = nn.Linear(latents, math.prod(self.base))
        self.of_class = nn.Embedding(classes, math.prod(self.base))
        self.layers = up_convolutions((*channels, shape[0]), kernel, norm, leak, axes=len(base))
        initialise_weights(self, weight_std)

    def conditional(self, z: Tensor, condition: Tensor) -> Tensor:
        """g(z, c) in (-1, 1), ``(B, latents), (B,) int64 -> (B, *S)``."""
        start = self.project(z) + self.of_class(condition)
        return bounded(self.layers(start.unflatten(1, self.base)), like=z)

    @staticmethod
    def conformance() -> Mapping[str, Any]:
        """What ``ebmkit plugins check generators/class-generator`` builds."""
        return {"latents": 6, "channels": (8, 4)}


def _some(classes: int) -> int:
    """The number of classes.

    Raises:
        ValueError: there are none.
    """
    if classes < 1:
        raise ValueError("it needs data with classes: [data] labels = true takes them from sub-folders")
    return classes
