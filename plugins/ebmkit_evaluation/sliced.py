"""The sliced Wasserstein distance between patches of Laplacian pyramids: SWD, without any network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, final

import attrs
import numpy as np
import torch
from torch import Tensor

from ebmkit.core import ExampleSet, Figure, Ge, Material, Metric, Need, Rng, standard_error
from ebmkit.errors import DataError
from ebmkit_evaluation.pyramids import laplacian_pyramid

__all__ = ["Swd", "sliced_distance"]

_GROUPS = 8
_MOST = 512
"""Images of a group at most: patches of more would tell little more of each."""

_PATCH = 7
_DIRECTIONS = 64
_BLOCK = 64
"""Images whose pyramids are in memory at a time."""


def sliced_distance(x: Tensor, y: Tensor, directions: Tensor) -> Tensor:
    r"""The mean distance between two sets of points as seen along some directions, 0-dim.

    $$\frac{1}{KP} \sum_k \sum_i |\langle x, v_k \rangle_{(i)} - \langle y, v_k \rangle_{(i)}|$$

    Args:
        x: ``(P, d)``.
        y: as many points, ``(P, d)``.
        directions: of length 1, ``(d, K)``.

    Source: Rabin, Peyré, Delon, Bernot, 2011; Bonneel, Rabin, Peyré, Pfister, 2015.
    """
    # NumPy sorts rows of numbers several times faster than torch does on a processor.
    seen = [np.sort((directions.T @ points.T).cpu().numpy(), axis=1) for points in (x, y)]
    return torch.from_numpy(np.abs(seen[0] - seen[1])).mean()


@final
@attrs.frozen(kw_only=True)
class Swd(Metric):
    """How far apart the patches of generated and real images are, at each scale, times 1,000.

    Images are clamped, rounded to 8 bits and taken apart into a Laplacian pyramid, down to 16 pixels:
    ``swd_64`` of the finest details, …, ``swd_16`` of the coarsest rest, ``swd`` their mean. At each scale
    patches of 7x7 pixels are compared along random directions, after each channel was given the mean 0 and
    the standard deviation 1 that the *real* patches then have, so that contrast counts (Karras et al.
    standardise each set by itself).

    The figure is the mean over 8 disjoint groups of the images, each with patches and 64 directions of its
    own; their spread gives the error. It is biased upwards as every distance between finite sets: see what
    real images have. Up to 4,096 images are looked at, at least 8 are needed.

    Args:
        patches: of each group, at each scale; figures of different numbers do not compare.

    Source: Karras, Aila, Laine, Lehtinen, "Progressive growing of GANs", 2018, arXiv 1710.10196, section 5;
    Burt, Adelson, 1983.
    """

    needs: ClassVar[tuple[Need, ...]] = ("real",)

    patches: Annotated[int, Ge(_MOST)] = 4096

    def measure(self, material: Material) -> Sequence[Figure]:
        """``swd`` and ``swd_SIDE`` for each scale, the finest first."""
        generated, real = material.generated, material.examples("real")
        count = min(len(generated) // _GROUPS, _MOST) * _GROUPS
        groups = [
            _group_distances(material.rng.fold_in("swd", group), self.patches, mine, theirs)
            for group, (mine, theirs) in enumerate(
                zip(_groups(generated, material.rng), _groups(real, material.rng), strict=True)
            )
        ]
        by_scale = {side: torch.stack([group[side] for group in groups]) for side in groups[0]}
        named = {"swd": torch.stack(list(by_scale.values())).mean(0)}
        named |= {f"swd_{side}": values for side, values in by_scale.items()}
        return [
            Figure(name, float(values.mean()), standard_error(values), count)
            for name, values in named.items()
        ]


@final
@attrs.frozen
class _Group:
    """Some of the images of a set."""

    examples: ExampleSet
    index: Tensor

    def patches(self, rng: Rng, count: int) -> dict[int, Tensor]:
        """Patches at random places by the side of their scale, ``(P, 49 C)`` each.

        Every image gives equally many; places depend on the stream alone, so that equal images give equal
        patches.
        """
        places = rng.uniform(torch.empty(count, 2))
        owner = torch.arange(count) * len(self.index) // count
        found: dict[int, list[Tensor]] = {}
        for begin in range(0, len(self.index), _BLOCK):
            mine = (owner >= begin) & (owner < begin + _BLOCK)
            for level in laplacian_pyramid(self.examples[self.index[begin : begin + _BLOCK]]):
                cut = _cut(level, owner[mine] - begin, places[mine])
                found.setdefault(min(level.shape[-2:]), []).append(cut)
        return {side: torch.cat(some) for side, some in found.items()}


def _groups(examples: ExampleSet, rng: Rng) -> Iterator[_Group]:
    size = min(len(examples) // _GROUPS, _MOST)
    if not size:
        raise DataError(f"swd needs at least {_GROUPS} images, and there are {len(examples)}")
    order = rng.fold_in("swd").permutation(len(examples))
    for index in torch.split(order[: size * _GROUPS], size):
        yield _Group(examples, index)


def _cut(level: Tensor, owner: Tensor, places: Tensor) -> Tensor:
    """The patches at these places, given in parts of what is possible: ``(p, 7, 7, C)``."""
    possible = torch.tensor(level.shape[-2:]) - _PATCH + 1
    corner = (places * possible).long().minimum(possible - 1)
    rows, columns = (corner[:, axis, None] + torch.arange(_PATCH) for axis in (0, 1))
    return level[owner[:, None, None], :, rows[:, :, None], columns[:, None, :]]


def _group_distances(rng: Rng, patches: int, mine: _Group, theirs: _Group) -> dict[int, Tensor]:
    """The distance at each scale, times 1,000."""
    generated, real = (group.patches(rng.fold_in("places"), patches) for group in (mine, theirs))
    found = {}
    for side, cut in real.items():
        spread, centre = torch.std_mean(cut, (0, 1, 2))
        spread = spread.clamp_min(torch.finfo(spread.dtype).tiny)
        x, y = (((each - centre) / spread).flatten(1) for each in (generated[side], cut))
        directions = rng.fold_in("directions", side).normal(x.new_empty(x.shape[1], _DIRECTIONS))
        found[side] = 1000 * sliced_distance(x, y, directions / directions.norm(dim=0))
    return found
