"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmkit.plugin import hookimpl

if TYPE_CHECKING:
    from ebmkit.core import Energy, LatentGenerator


@hookimpl
def ebmkit_energies() -> Mapping[str, type[Energy]]:
    """``descriptor``."""
    from ebmkit_convnets.descriptor import ConvDescriptor

    return {"descriptor": ConvDescriptor}


@hookimpl
def ebmkit_generators() -> Mapping[str, type[LatentGenerator]]:
    """``generator`` and ``spatial-generator``."""
    from ebmkit_convnets.generator import ConvGenerator, SpatialGenerator

    return {"generator": ConvGenerator, "spatial-generator": SpatialGenerator}
