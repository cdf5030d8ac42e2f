"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmkit.plugin import hookimpl

if TYPE_CHECKING:
    from ebmkit.core import Energy, LatentGenerator


@hookimpl
def ebmkit_energies() -> Mapping[str, type[Energy] | str]:
    """``descriptor``."""
    return {"descriptor": "ebmkit_convnets.descriptor:ConvDescriptor"}


@hookimpl
def ebmkit_generators() -> Mapping[str, type[LatentGenerator] | str]:
    """``generator`` and ``spatial-generator``."""
    return {
        "generator": "ebmkit_convnets.generator:ConvGenerator",
        "spatial-generator": "ebmkit_convnets.generator:SpatialGenerator",
    }
