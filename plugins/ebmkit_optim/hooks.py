"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmkit.plugin import hookimpl

if TYPE_CHECKING:
    from ebmkit.core import Optimizer


@hookimpl
def ebmkit_optimizers() -> Mapping[str, type[Optimizer] | str]:
    """``adam``, ``adamw`` and ``sgd``."""
    return {
        "adam": "ebmkit_optim.adam:Adam",
        "adamw": "ebmkit_optim.adam:AdamW",
        "sgd": "ebmkit_optim.sgd:SGD",
    }
