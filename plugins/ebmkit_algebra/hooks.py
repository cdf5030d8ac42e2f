"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmkit.plugin import hookimpl

if TYPE_CHECKING:
    from ebmkit.core import CooperativeScheduler, Energy


@hookimpl
def ebmkit_energies() -> Mapping[str, type[Energy]]:
    """``sum``, ``mixture``, ``tempered``, ``negated`` and ``from-run``."""
    from ebmkit.core import Mixture, Negated, Sum, Tempered
    from ebmkit_algebra.from_run import FromRun

    return {
        "sum": Sum,
        "mixture": Mixture,
        "tempered": Tempered,
        "negated": Negated,
        "from-run": FromRun,
    }


@hookimpl
def ebmkit_schedulers() -> Mapping[str, type[CooperativeScheduler]]:
    """``sampling``."""
    from ebmkit_algebra.sampling import Sampling

    return {"sampling": Sampling}
