"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmkit.plugin import hookimpl

if TYPE_CHECKING:
    from ebmkit.core import Source


@hookimpl
def ebmkit_sources() -> Mapping[str, type[Source] | str]:
    """``faces``, ``folder``, ``textures`` and ``zip``."""
    return {
        "faces": "ebmkit_images.faces:Faces",
        "folder": "ebmkit_images.files:Folder",
        "textures": "ebmkit_images.textures:Textures",
        "zip": "ebmkit_images.files:Zip",
    }
