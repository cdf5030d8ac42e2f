"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmkit.plugin import hookimpl

if TYPE_CHECKING:
    from ebmkit.core import Energy, LatentGenerator


@hookimpl
def ebmkit_energies() -> Mapping[str, type[Energy] | str]:
    """``descriptor``, ``class-descriptor``, ``mlp`` and ``resnet``."""
    return {
        "class-descriptor": "ebmkit_convnets.conditional:ClassDescriptor",
        "descriptor": "ebmkit_convnets.descriptor:ConvDescriptor",
        "mlp": "ebmkit_convnets.perceptron:MlpDescriptor",
        "resnet": "ebmkit_convnets.residual:ResNetDescriptor",
    }


@hookimpl
def ebmkit_generators() -> Mapping[str, type[LatentGenerator] | str]:
    """``generator``, ``class-generator`` and ``spatial-generator``."""
    return {
        "class-generator": "ebmkit_convnets.conditional:ClassGenerator",
        "generator": "ebmkit_convnets.generator:ConvGenerator",
        "spatial-generator": "ebmkit_convnets.generator:SpatialGenerator",
    }
