"""Image sources, as a plugin of ebmkit.

``ebmkit_images.files`` reads a folder or a zip archive, ``ebmkit_images.faces`` an embedded set
of real faces. Their classes can be imported from here;
nothing is until then, so that finding plugins stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebmkit.plugin import lazily

if TYPE_CHECKING:
    from ebmkit_images.faces import Faces
    from ebmkit_images.files import Folder, Zip
    from ebmkit_images.textures import Textures

__all__ = ["Faces", "Folder", "Textures", "Zip"]

__getattr__ = lazily(
    __name__,
    {
        "Faces": "ebmkit_images.faces",
        "Folder": "ebmkit_images.files",
        "Textures": "ebmkit_images.textures",
        "Zip": "ebmkit_images.files",
    },
)
