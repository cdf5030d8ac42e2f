"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmkit.plugin import hookimpl

if TYPE_CHECKING:
    from ebmkit.core import Sampler


@hookimpl
def ebmkit_samplers() -> Mapping[str, type[Sampler] | str]:
    """``langevin``."""
    return {"langevin": "ebmkit_langevin.langevin:Langevin"}
