"""Methods that fill hidden pixels without having learned anything: what a model has to beat.

Each maps ``(image (C, H, W) float64, hidden (H, W) bool)`` to the image with its hidden pixels
filled. scipy and scikit-image (extra ``recovery``) do the work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["COMPARATORS", "Comparator", "Hidden", "Pixels"]

Pixels: TypeAlias = NDArray[np.float64]
Hidden: TypeAlias = NDArray[np.bool_]
Comparator: TypeAlias = Callable[[Pixels, Hidden], Pixels]

_RING = 4  # pixels around the hole that a thin-plate spline is fitted to
_REWEIGHTINGS = 40
_FLOOR = 1e-4  # of a pixel difference in the L1 weights


def mrf_l2(image: Pixels, hidden: Hidden) -> Pixels:
    r"""The most likely filling under the field $\exp(-\sum_{i \sim j} (x_i - x_j)^2)$ of nearest neighbours.

    A linear equation: every hidden pixel is the mean of its neighbours.
    """
    edges, unknown = _edges(hidden)
    return _fill(image, hidden, lambda channel: _weighted_mean(channel, edges, unknown, np.ones(len(edges))))


def mrf_l1(image: Pixels, hidden: Hidden) -> Pixels:
    r"""The most likely filling under $\exp(-\sum_{i \sim j} |x_i - x_j|)$ of nearest neighbours.

    Found by iteratively reweighted least squares.
    """
    edges, unknown = _edges(hidden)

    def solve(channel: Pixels) -> Pixels:
        filled = _weighted_mean(channel, edges, unknown, np.ones(len(edges)))
        for _ in range(_REWEIGHTINGS):
            difference = np.abs(filled.ravel()[edges[:, 0]] - filled.ravel()[edges[:, 1]])
            filled = _weighted_mean(filled, edges, unknown, 1 / np.maximum(difference, _FLOOR))
        return filled

    return _fill(image, hidden, solve)


def _scattered(method: Literal["nearest", "linear", "cubic"]) -> Comparator:
    """Interpolation of the known pixels by a triangulation; the nearest pixel outside its hull."""

    def fill(image: Pixels, hidden: Hidden) -> Pixels:
        from scipy.interpolate import griddata

        known, wanted = np.argwhere(~hidden), np.argwhere(hidden)
        values = image[:, ~hidden].T
        filled = griddata(known, values, wanted, method=method)
        if (outside := np.isnan(filled)).any():
            filled[outside] = griddata(known, values, wanted, method="nearest")[outside]
        result = image.copy()
        result[:, hidden] = filled.T
        return result

    return fill


def thin_plate(image: Pixels, hidden: Hidden) -> Pixels:
    """A thin-plate spline through the ring of known pixels around the hole."""
    from scipy.interpolate import RBFInterpolator
    from scipy.ndimage import binary_dilation

    ring = binary_dilation(hidden, iterations=_RING) & ~hidden
    spline = RBFInterpolator(np.argwhere(ring), image[:, ring].T, kernel="thin_plate_spline")
    result = image.copy()
    result[:, hidden] = spline(np.argwhere(hidden)).T
    return result


def biharmonic(image: Pixels, hidden: Hidden) -> Pixels:
    """The biharmonic equation inside the hole (scikit-image)."""
    from skimage.restoration import inpaint_biharmonic

    result: Pixels = inpaint_biharmonic(image, hidden, channel_axis=0)
    return result


COMPARATORS: Mapping[str, Comparator] = {
    "mrf-l1": mrf_l1,
    "mrf-l2": mrf_l2,
    "nearest": _scattered("nearest"),
    "linear": _scattered("linear"),
    "cubic": _scattered("cubic"),
    "thin-plate": thin_plate,
    "biharmonic": biharmonic,
}
"""By name: two Markov random fields and five interpolations."""


def _fill(image: Pixels, hidden: Hidden, solve: Callable[[Pixels], Pixels]) -> Pixels:
    return np.where(hidden, np.stack([solve(channel) for channel in image]), image)


def _edges(hidden: Hidden) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of neighbours of which at least one is hidden, as flat positions; and the hidden positions."""
    position = np.arange(hidden.size).reshape(hidden.shape)
    across = np.stack([position[:, :-1].ravel(), position[:, 1:].ravel()], 1)
    down = np.stack([position[:-1].ravel(), position[1:].ravel()], 1)
    pairs = np.concatenate([across, down])
    return pairs[hidden.ravel()[pairs].any(1)], np.flatnonzero(hidden)


def _weighted_mean(
    channel: Pixels, edges: NDArray[np.int64], unknown: NDArray[np.int64], weights: Pixels
) -> Pixels:
    """Minimise the weighted sum of squared differences over the edges, known pixels fixed."""
    from scipy.sparse import coo_array, diags_array
    from scipy.sparse.linalg import spsolve

    rows, columns = np.concatenate([edges, edges[:, ::-1]]).T
    both = np.concatenate([weights, weights])
    adjacency: Any = coo_array((both, (rows, columns)), shape=(channel.size, channel.size)).tocsr()[unknown]
    flat = channel.ravel().copy()
    known = flat.copy()
    known[unknown] = 0
    degree = diags_array(np.asarray(adjacency.sum(1)).ravel())
    flat[unknown] = spsolve((degree - adjacency[:, unknown]).tocsc(), adjacency @ known)
    return flat.reshape(channel.shape)
