"""The sampler ``my-mala`` for ebmkit."""

from __future__ import annotations

from ebmkit.plugin import hookimpl

__all__ = ["ebmkit_samplers"]

EBMKIT_API = (1, 0)  # the plugin API that this was written for


@hookimpl
def ebmkit_samplers() -> dict[str, str]:
    """``my-mala``; a string, so that listing it imports no torch."""
    return {"my-mala": "ebmkit_my_mala.my_mala:MyMala"}
