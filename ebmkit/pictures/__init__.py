"""Picture files: which formats are read at all, how deep their pixels are, which way is up."""

from ebmkit.pictures.formats import FORMATS, MOST_PIXELS, is_picture_name
from ebmkit.pictures.levels import UnknownRangeError
from ebmkit.pictures.load import load_picture, printable

__all__ = [
    "FORMATS",
    "MOST_PIXELS",
    "UnknownRangeError",
    "is_picture_name",
    "load_picture",
    "printable",
]
