"""Optimizers of torch, as a plugin of ebmkit: Adam, AdamW, and SGD with momentum.

Any other class of ``torch.optim`` comes in by a plugin as these do. Their classes can be imported
from here; nothing is until then, so that finding plugins stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebmkit.plugin import lazily

if TYPE_CHECKING:
    from ebmkit_optim.adam import Adam, AdamW
    from ebmkit_optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW"]

__getattr__ = lazily(
    __name__, {"Adam": "ebmkit_optim.adam", "AdamW": "ebmkit_optim.adam", "SGD": "ebmkit_optim.sgd"}
)
