"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmkit.plugin import hookimpl

if TYPE_CHECKING:
    from ebmkit.core import CooperativeScheduler, Energy


@hookimpl
def ebmkit_energies() -> Mapping[str, type[Energy] | str]:
    """``sum``, ``mixture``, ``tempered``, ``negated`` and ``from-run``."""
    return {
        "sum": "ebmkit.core.algebra:Sum",
        "mixture": "ebmkit.core.algebra:Mixture",
        "tempered": "ebmkit.core.algebra:Tempered",
        "negated": "ebmkit.core.algebra:Negated",
        "from-run": "ebmkit_algebra.from_run:FromRun",
    }


@hookimpl
def ebmkit_schedulers() -> Mapping[str, type[CooperativeScheduler] | str]:
    """``sampling``."""
    return {"sampling": "ebmkit_algebra.sampling:Sampling"}
