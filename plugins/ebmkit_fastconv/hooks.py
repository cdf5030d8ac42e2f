"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmkit.plugin import hookimpl

if TYPE_CHECKING:
    from ebmkit.core import GradientBackend


@hookimpl
def ebmkit_gradient_backends() -> Mapping[str, type[GradientBackend] | str]:
    """``fastconv``."""
    return {"fastconv": "ebmkit_fastconv.prepare:ClosedForms"}
