"""Schedules of cooperative learning, as a plugin of ebmkit.

The paper's three: ``ebmkit_coopnets.coopnets``, ``ebmkit_coopnets.descriptor_only`` (Algorithm D) and
``ebmkit_coopnets.generator_only`` (Algorithm G). Their younger relatives: ``ebmkit_coopnets.dual``,
``ebmkit_coopnets.multigrid``, ``ebmkit_coopnets.replay`` and ``ebmkit_coopnets.score_matching``. Their
classes can be imported from here; nothing is until then, so that finding plugins stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebmkit.plugin import lazily

if TYPE_CHECKING:
    from ebmkit_coopnets.coopnets import CoopNets
    from ebmkit_coopnets.descriptor_only import DescriptorOnly
    from ebmkit_coopnets.dual import Dual
    from ebmkit_coopnets.generator_only import GeneratorOnly
    from ebmkit_coopnets.multigrid import MultiGrid
    from ebmkit_coopnets.replay import Replay
    from ebmkit_coopnets.score_matching import ScoreMatching

__all__ = ["CoopNets", "DescriptorOnly", "Dual", "GeneratorOnly", "MultiGrid", "Replay", "ScoreMatching"]

__getattr__ = lazily(
    __name__,
    {
        "CoopNets": "ebmkit_coopnets.coopnets",
        "DescriptorOnly": "ebmkit_coopnets.descriptor_only",
        "Dual": "ebmkit_coopnets.dual",
        "GeneratorOnly": "ebmkit_coopnets.generator_only",
        "MultiGrid": "ebmkit_coopnets.multigrid",
        "Replay": "ebmkit_coopnets.replay",
        "ScoreMatching": "ebmkit_coopnets.score_matching",
    },
)
