"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmkit.plugin import hookimpl

if TYPE_CHECKING:
    from ebmkit.core import Features, Metric


@hookimpl
def ebmkit_features() -> Mapping[str, type[Features] | str]:
    """``inception``, ``lite0`` and ``pixels``."""
    return {
        "inception": "ebmkit_evaluation.inception:Inception",
        "lite0": "ebmkit_evaluation.lite0:Lite0",
        "pixels": "ebmkit_evaluation.pixels:Pixels",
    }


@hookimpl
def ebmkit_metrics() -> Mapping[str, type[Metric] | str]:
    """Those for images, and ``energy-distance`` and ``mmd`` for examples of any shape."""
    return {
        "energy-distance": "ebmkit_evaluation.distances:EnergyDistance",
        "fid": "ebmkit_evaluation.fid:Fid",
        "kid": "ebmkit_evaluation.kid:Kid",
        "manifold": "ebmkit_evaluation.manifold:Manifold",
        "memorisation": "ebmkit_evaluation.memorisation:Memorisation",
        "mmd": "ebmkit_evaluation.distances:Mmd",
        "reconstruction": "ebmkit_evaluation.reconstruction:Reconstruction",
        "swd": "ebmkit_evaluation.sliced:Swd",
    }
