"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmkit.plugin import hookimpl

if TYPE_CHECKING:
    from ebmkit.core import CooperativeScheduler


@hookimpl
def ebmkit_schedulers() -> Mapping[str, type[CooperativeScheduler]]:
    """``coopnets``, ``descriptor-only`` and ``generator-only``."""
    from ebmkit_coopnets.cooperative import CoopNets
    from ebmkit_coopnets.descriptor import DescriptorOnly
    from ebmkit_coopnets.generator import GeneratorOnly

    return {"coopnets": CoopNets, "descriptor-only": DescriptorOnly, "generator-only": GeneratorOnly}
