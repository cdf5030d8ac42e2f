"""Stacks with as many channels as tensor cores like."""

from __future__ import annotations

from itertools import pairwise

import attrs

from ebmkit.core import align_channels
from ebmkit_fastconv.reading.activations import Activation
from ebmkit_fastconv.reading.stack import Convolution, Stack

__all__ = ["aligned"]


def aligned(stack: Stack) -> Stack:
    """The same energy; what a convolution hands to another has ``align_channels``."""
    if stack.features is None:
        return stack
    layers = list(stack.features.layers)
    places = [place for place, layer in enumerate(layers) if not isinstance(layer, Activation)]
    for writes, reads in pairwise(places):
        writer, reader = layers[writes], layers[reads]
        if isinstance(writer, Convolution) and isinstance(reader, Convolution):
            bias = None if writer.bias is None else align_channels(writer.bias, 0)
            layers[writes] = attrs.evolve(writer, weight=align_channels(writer.weight, 0), bias=bias)
            layers[reads] = attrs.evolve(reader, weight=align_channels(reader.weight, 1))
    return attrs.evolve(stack, features=attrs.evolve(stack.features, layers=tuple(layers)))
