"""What symbols stand for: the numbers that they give for an x."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ebmkit_fastconv.reading.activations import Activation
from ebmkit_fastconv.reading.stack import Convolution, Dense, Features, Squares, Stack, Symbol
from tests.models import double

X = Features((), (6,))
"""Rows of six numbers."""

IMAGES = Features((), (2, 4, 4))


def weights(*shape: int, seed: int = 0) -> Tensor:
    return double(*shape, seed=seed).float()


HIDDEN = X.then(Dense(weights(5, 6), weights(5, seed=1)), (5,))
MAPS = IMAGES.then(Convolution(weights(3, 2, 3, 3), None, 1, 1), (3, 4, 4))
ENERGY = Stack(0.5, -2.0, HIDDEN.then(Activation("tanh"), (5,)), weights(5, seed=2))


def numbers(symbol: Symbol, x: Tensor) -> Tensor:
    """What the symbol is at x, ``(B, *S)``, in the dtype of x."""
    if isinstance(symbol, Squares):
        return symbol.scale * x.square()
    if isinstance(symbol, Features):
        return _features(symbol, x).reshape(len(x), *symbol.shape)
    squares = x.flatten(1).square().sum(1)
    energy = symbol.quadratic * squares + symbol.offset
    if symbol.features is None or symbol.weight is None:
        return energy
    return energy + _features(symbol.features, x).flatten(1) @ symbol.weight.to(x)


def _features(symbol: Features, x: Tensor) -> Tensor:
    for layer in symbol.layers:
        if isinstance(layer, Activation):
            x = layer(x.clone())
            continue
        weight, bias = layer.weight.to(x), None if layer.bias is None else layer.bias.to(x)
        if isinstance(layer, Dense):
            x = functional.linear(x.flatten(1), weight, bias)
        else:
            x = torch.conv2d(x, weight, bias, layer.stride, layer.padding)
    return x
