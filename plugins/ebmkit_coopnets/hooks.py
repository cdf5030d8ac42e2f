"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmkit.plugin import hookimpl

if TYPE_CHECKING:
    from ebmkit.core import CooperativeScheduler


@hookimpl
def ebmkit_schedulers() -> Mapping[str, type[CooperativeScheduler] | str]:
    """The paper's ``coopnets``, ``descriptor-only`` and ``generator-only``, and their younger relatives."""
    return {
        "coopnets": "ebmkit_coopnets.coopnets:CoopNets",
        "descriptor-only": "ebmkit_coopnets.descriptor_only:DescriptorOnly",
        "dual": "ebmkit_coopnets.dual:Dual",
        "generator-only": "ebmkit_coopnets.generator_only:GeneratorOnly",
        "multigrid": "ebmkit_coopnets.multigrid:MultiGrid",
        "replay": "ebmkit_coopnets.replay:Replay",
        "score-matching": "ebmkit_coopnets.score_matching:ScoreMatching",
    }
