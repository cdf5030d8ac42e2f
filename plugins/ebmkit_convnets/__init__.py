"""The paper's networks, as a plugin of ebmkit.

``ebmkit_convnets.descriptor`` is the bottom-up one, ``ebmkit_convnets.generator`` the
top-down one, ``ebmkit_convnets.perceptron`` a descriptor for examples of any shape. Their classes can be
imported from here; nothing is until then, so that finding plugins stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebmkit.plugin import lazily

if TYPE_CHECKING:
    from ebmkit_convnets.conditional import ClassDescriptor, ClassGenerator
    from ebmkit_convnets.descriptor import ConvDescriptor
    from ebmkit_convnets.generator import ConvGenerator, SpatialGenerator
    from ebmkit_convnets.perceptron import MlpDescriptor

__all__ = [
    "ClassDescriptor",
    "ClassGenerator",
    "ConvDescriptor",
    "ConvGenerator",
    "MlpDescriptor",
    "SpatialGenerator",
]

__getattr__ = lazily(
    __name__,
    {
        "ClassDescriptor": "ebmkit_convnets.conditional",
        "ClassGenerator": "ebmkit_convnets.conditional",
        "ConvDescriptor": "ebmkit_convnets.descriptor",
        "ConvGenerator": "ebmkit_convnets.generator",
        "MlpDescriptor": "ebmkit_convnets.perceptron",
        "SpatialGenerator": "ebmkit_convnets.generator",
    },
)
