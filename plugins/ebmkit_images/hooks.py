"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmkit.plugin import hookimpl

if TYPE_CHECKING:
    from ebmkit.data import Source


@hookimpl
def ebmkit_sources() -> Mapping[str, type[Source]]:
    """``faces``, ``folder``, ``textures`` and ``zip``."""
    from ebmkit_images.faces import Faces
    from ebmkit_images.files import Folder, Zip
    from ebmkit_images.textures import Textures

    return {"faces": Faces, "folder": Folder, "textures": Textures, "zip": Zip}
