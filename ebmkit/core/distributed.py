r"""Several processes that train one model, each with its share of the chains and of the data.

Every process runs the same schedule in step with the others. What differs is the rows it works on: of
``count`` rows process r of N holds a contiguous part, found by index alone, so that the rows together
are those of one process. Three things cross between processes: ``gather`` puts the parts of a set
together, ``shared_mean`` makes a loss whose average over processes is the mean over all rows, and
``shared_sum`` adds up within a graph (batch statistics). The trainer averages the gradients.

The chain never communicates: a sampler may take as many gradients as it likes on every process. With
one process each of these functions gives back what it is given, and nothing is started.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, final

import attrs
import torch
from torch import Tensor, distributed

from ebmkit.core.rng import Rng
from ebmkit.errors import LostProcessError

__all__ = [
    "World",
    "average",
    "average_in_place",
    "collective",
    "gather",
    "largest",
    "same_everywhere",
    "shard",
    "shared_mean",
    "shared_sum",
    "world",
]


@final
@attrs.frozen
class World:
    """Which process this is, and of how many.

    Attributes:
        rank: from 0; 0 is the one that writes.
        size: how many processes there are.
    """

    rank: int = 0
    size: int = 1

    def rows(self, count: int) -> slice:
        """This process's part of ``count`` rows: contiguous, in the order of ranks, sizes within 1.

        Examples:
            >>> [World(rank, 3).rows(8) for rank in range(3)]
            [slice(0, 2, None), slice(2, 5, None), slice(5, 8, None)]
        """
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)


def world() -> World:
    """The processes that torch.distributed has joined; one where nothing was joined."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return World()
    return World(distributed.get_rank(), distributed.get_world_size())


def shard(count: int, rng: Rng) -> tuple[int, Rng]:
    """How many of ``count`` chains this process runs, and the stream that draws their noise.

    Raises:
        ValueError: there are fewer chains than processes.

    Examples:
        >>> shard(64, Rng(0))
        (64, Rng(key=0x0000000000000000, first_chain=0))
    """
    if count < world().size:
        raise ValueError(f"{count} chains for {world().size} processes: start as many processes at most")
    rows = world().rows(count)
    return rows.stop - rows.start, rng.of_chain(rows.start)


def gather(x: Tensor) -> Tensor:
    """The rows of all processes in the order of ranks, ``(b, *S) -> (B, *S)``, without a graph.

    Parts may differ in their number of rows.
    """
    size = world().size
    if size == 1:
        return x
    x = x.detach().contiguous()
    counts = _all_gather(torch.tensor([len(x)], device=x.device))
    most = max(int(count) for count in counts)
    padded = x.new_zeros(most, *x.shape[1:])
    padded[: len(x)] = x
    return torch.cat([part[: int(count)] for part, count in zip(_all_gather(padded), counts, strict=True)])


def _all_gather(x: Tensor) -> list[Tensor]:
    parts = [torch.empty_like(x) for _ in range(world().size)]
    with collective():
        distributed.all_gather(parts, x)
    return parts


def _all_reduce(x: Tensor, operation: Any = None) -> Tensor:
    """In place; the same bits on every process."""
    with collective():
        distributed.all_reduce(x, operation or distributed.ReduceOp.SUM)
    return x


@contextmanager
def collective() -> Iterator[None]:
    """What fails in here fails because another process is gone, or does not come in time.

    Raises:
        LostProcessError: in place of torch's error.
    """
    try:
        yield
    except RuntimeError as error:
        raise LostProcessError(f"another process is gone: {error}") from error


def shared_mean(values: Tensor) -> Tensor:
    """This process's part of a mean over the rows of all, ``(b,) -> ()``, with its graph.

    The average over processes is the mean over all rows, whichever number of them each has, none
    included; so gradients that are averaged are those of the whole mean.
    """
    size = world().size
    if size == 1:
        return values.mean()
    count = torch.tensor(float(len(values)), device=values.device, dtype=values.dtype)
    return values.sum() * (size / _all_reduce(count))


def average(x: Tensor) -> Tensor:
    """The average over processes, elementwise, without a graph: the same bits on each."""
    size = world().size
    if size == 1:
        return x
    return _all_reduce(x.detach().clone()).div_(size)


def average_in_place(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its average over processes, in one message."""
    if world().size == 1 or not tensors:
        return
    flat = average(torch.cat([each.reshape(-1) for each in tensors]))
    for each, part in zip(tensors, torch.split(flat, [each.numel() for each in tensors]), strict=True):
        each.copy_(part.view_as(each))


def same_everywhere(tensors: Sequence[Tensor]) -> list[bool]:
    """Of each tensor, whether all processes hold the same bits."""
    if world().size == 1:
        return [True] * len(tensors)
    bits = (each.detach().reshape(-1).contiguous().view(torch.uint8) for each in tensors)
    sums = gather(torch.stack([each.sum(dtype=torch.int64) for each in bits])[None])
    return (sums == sums[0]).all(0).tolist()


def largest(x: Tensor) -> Tensor:
    """The largest over processes, elementwise, without a graph; not a number counts as infinite."""
    if world().size == 1:
        return x
    x = x.detach().clone()
    return _all_reduce(x.nan_to_num_(nan=torch.inf, posinf=torch.inf), distributed.ReduceOp.MAX)


def shared_sum(x: Tensor) -> Tensor:
    """The sum over processes, elementwise, within the graph: the gradient is summed likewise."""
    if world().size == 1:
        return x
    total: Tensor = _SharedSum.apply(x)  # type: ignore[no-untyped-call]
    return total


class _SharedSum(torch.autograd.Function):
    """Each process's loss depends on every process's x, so x collects the gradients of all."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        del ctx
        return _all_reduce(x.clone(memory_format=torch.contiguous_format))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        del ctx
        return _all_reduce(gradient.clone(memory_format=torch.contiguous_format))
