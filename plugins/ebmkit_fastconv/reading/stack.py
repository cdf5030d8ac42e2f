r"""What an energy computes, as far as a closed form of its gradient is known here.

$$E(x) = a \|x\|^2 + \langle u, h_L(\dots h_1(x)) \rangle + c, \qquad h_l(x) = \phi_l(W_l * x + b_l)$$
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeAlias, final

import attrs
from torch import Tensor

from ebmkit_fastconv.reading.activations import Activation

__all__ = ["Convolution", "Dense", "Features", "Layer", "Squares", "Stack", "Symbol", "UnknownOperationError"]


class UnknownOperationError(Exception):
    """The energy does something that no rule covers."""


@final
@attrs.frozen(eq=False)
class Convolution:
    """A convolution of square stride and padding: weight ``(C_out, C_in, k, k)``, bias ``(C_out,)``."""

    weight: Tensor
    bias: Tensor | None
    stride: int
    padding: int


@final
@attrs.frozen(eq=False)
class Dense:
    """A linear layer on flattened features: weight ``(out, in)``, bias ``(out,)``."""

    weight: Tensor
    bias: Tensor | None


Layer: TypeAlias = Convolution | Dense | Activation


@final
@attrs.frozen(eq=False)
class Features:
    """A vector for each example: ``layers`` applied to x one after the other."""

    layers: tuple[Layer, ...]
    shape: tuple[int, ...]

    def then(self, layer: Layer, shape: tuple[int, ...]) -> Features:
        """The features that one more layer makes of them."""
        return Features((*self.layers, layer), shape)


@final
@attrs.frozen(eq=False)
class Squares:
    """The squares of x, multiplied by ``scale``."""

    scale: float
    shape: tuple[int, ...]


@final
@attrs.frozen(eq=False)
class Stack:
    """One number for each example: the energy, or a part of it.

    Attributes:
        quadratic: a.
        offset: c.
        features: h, if any; layers in the order in which they are applied.
        weight: u, as long as the flattened features.
    """

    quadratic: float = 0.0
    offset: float = 0.0
    features: Features | None = None
    weight: Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example: one number."""
        return ()

    def times(self, factor: float) -> Stack:
        """The product with a number."""
        weight = None if self.weight is None else self.weight * factor
        return attrs.evolve(
            self, quadratic=self.quadratic * factor, offset=self.offset * factor, weight=weight
        )

    def plus(self, other: Stack) -> Stack:
        """The sum, of which one part alone may be a network."""
        if self.features is not None and other.features is not None:
            raise UnknownOperationError("the sum of two networks")
        network = self if self.features is not None else other
        return Stack(
            self.quadratic + other.quadratic, self.offset + other.offset, network.features, network.weight
        )

    def collapsed(self) -> Stack:
        """The same, with linear layers at the end made part of the weight of the features.

        Raises:
            UnknownOperationError: there is no network, or nothing in it but linear layers.
        """
        if self.features is None or self.weight is None:
            raise UnknownOperationError("the result is not a sum over one network's features")
        if not self.features.layers:
            raise UnknownOperationError("a linear function of x itself")
        *layers, last = self.features.layers
        if not isinstance(last, Dense):
            return self
        offset = self.offset
        if last.bias is not None:
            offset += float(last.bias.double() @ self.weight.double())
        features = Features(tuple(layers), (last.weight.shape[1],))
        return Stack(self.quadratic, offset, features, self.weight @ last.weight).collapsed()

    @property
    def form(self) -> Hashable:
        """Everything about it but numbers."""
        layers = () if self.features is None else self.features.layers
        return tuple(
            layer
            if isinstance(layer, Activation)
            else (type(layer), layer.weight.shape, layer.bias is None, _place(layer))
            for layer in layers
        )


Symbol: TypeAlias = Features | Squares | Stack


def _place(layer: Convolution | Dense) -> tuple[int, ...]:
    return (layer.stride, layer.padding) if isinstance(layer, Convolution) else ()
