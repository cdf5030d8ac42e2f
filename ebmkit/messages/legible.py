"""Text for devices that lack its letters: δ as ``delta``, a curve in digits."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Mapping

__all__ = ["LEGIBLE", "legible"]

LEGIBLE = "ebmkit.messages.legible"
"""The name of this manner of writing among the ``errors`` of a text stream."""

_SUPERSCRIPT = "<super>"
_ESCAPED_BYTES = range(0xDC80, 0xDD00)
# fmt: off
_PLAIN: Mapping[str, str] = {
    "·": "-", "…": "...", "–": "-", "—": "--", "‘": "'", "’": "'", "“": '"', "”": '"',
    "±": "+-", "×": "x", "⊙": "*", "√": "sqrt ", "∇": "grad ", "∂": "d", "∞": "inf", "‖": "||",
    "≈": "~", "∝": "~", "≤": "<=", "≥": ">=", "∈": "in", "←": "<-", "→": "->", "↦": "->", "⟨": "<", "⟩": ">",
    "▁": "1", "▂": "2", "▃": "3", "▄": "4", "▅": "5", "▆": "6", "▇": "7", "█": "8",
    "\u0302": "_hat", "\u0303": "_tilde", "\u0304": "_bar",
}
# fmt: on
"""What ebmkit writes; the heights of a curve become digits, as wide as they are."""


def legible(text: str) -> str:
    r"""A text in ASCII that says the same; bytes of a file's name that are no text become ``\xe9``.

    Examples:
        >>> legible("δ²/2 ∇E(x) ≤ 10⁻³ · Yñ…"), legible("▁▄█"), legible("caf\udce9 語")
        ('delta^2/2 grad E(x) <= 10^-3 - Yn...', '148', 'caf\\xe9 ?')
    """
    said, raised = "", False
    for letter in text:
        is_raised = unicodedata.decomposition(letter).startswith(_SUPERSCRIPT)
        said += "^" if is_raised and not raised else ""
        said += letter if letter.isascii() else _ascii(letter)
        raised = is_raised
    return said


def _ascii(letter: str) -> str:
    if letter in _PLAIN:
        return _PLAIN[letter]
    if ord(letter) in _ESCAPED_BYTES:
        return f"\\x{ord(letter) - 0xDC00:02x}"
    if unicodedata.combining(letter):
        return ""
    name = unicodedata.name(letter, "")
    if name.startswith("GREEK") and " LETTER " in name:
        word = name.partition(" LETTER ")[2].split()[0].lower().replace("lamda", "lambda")
        return word.capitalize() if "CAPITAL" in name else word
    if name.startswith("BOX DRAWINGS"):
        return "-" if name.endswith("HORIZONTAL") else "|" if name.endswith("VERTICAL") else "+"
    plain = unicodedata.normalize("NFKD", letter).replace("\u2212", "-")
    return plain.encode("ascii", "ignore").decode() or "?"


def _replace(error: UnicodeError) -> tuple[str, int]:
    """The handler of a codec: what it cannot encode, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return legible(error.object[error.start : error.end]), error.end


codecs.register_error(LEGIBLE, _replace)
