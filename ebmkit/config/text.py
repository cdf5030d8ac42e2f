"""The text of a user's file, whichever editor wrote it."""

from __future__ import annotations

import codecs
from collections.abc import Mapping

__all__ = ["decoded"]

_MARKS: Mapping[bytes, str] = {
    codecs.BOM_UTF32_LE: "UTF-32",  # before UTF-16, with whose mark it begins
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16, which Windows calls Unicode",
    codecs.BOM_UTF16_BE: "UTF-16, which Windows calls Unicode",
}


def decoded(data: bytes) -> str:
    r"""The text of UTF-8, without the byte order mark that some editors put before it.

    Raises:
        ValueError: it is not UTF-8; says what it is instead, or in which line.

    Examples:
        >>> decoded("\ufeffδ = 1".encode())
        'δ = 1'
        >>> decoded("δ = 1".encode("utf-16"))
        Traceback (most recent call last):
        ValueError: text in UTF-16, which Windows calls Unicode: save it as UTF-8
    """
    foreign = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "")
    if not foreign and b"\0" in data[:4]:  # no mark, but a letter of ASCII takes more than a byte
        foreign = "UTF-32" if b"\0\0" in data[:4] else "UTF-16 without a mark"
    if foreign:
        raise ValueError(f"text in {foreign}: save it as UTF-8")
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"no text in UTF-8: line {line} holds the byte 0x{error.object[error.start]:02x}"
        ) from None
