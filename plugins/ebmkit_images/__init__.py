"""Image sources: a folder, a zip archive, and an embedded set of real faces."""

from ebmkit_images.faces import Faces
from ebmkit_images.files import Folder, Zip

__all__ = ["Faces", "Folder", "Zip"]
