"""Pieces of a long recording as examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebmkit.errors import DataError

__all__ = ["windows"]


def windows(recording: NDArray[Any], length: int, hop: int, path: str) -> NDArray[Any]:
    """Pieces of a recording ``(T,)`` or ``(T, C)``, as a view ``(N, C, length)`` that copies nothing.

    Args:
        recording: the numbers in the order of time.
        length: points of a piece.
        hop: points between the beginnings of two pieces.
        path: of the file, for messages.

    Raises:
        DataError: it is no recording, or shorter than a piece.

    Examples:
        >>> windows(np.arange(7), 3, 2, "x.npy").tolist()
        [[[0, 1, 2]], [[2, 3, 4]], [[4, 5, 6]]]
    """
    if recording.ndim not in (1, 2):
        shape = "x".join(map(str, recording.shape))
        raise DataError(f"window = {length} cuts a recording (T,) or (T, C); {path!r} holds {shape}")
    if len(recording) < length:
        raise DataError(f"{path!r} has {len(recording)} points, and window = {length} asks for more")
    pieces = np.lib.stride_tricks.sliding_window_view(recording, length, axis=0)[::hop]
    return pieces[:, None] if recording.ndim == 1 else pieces
