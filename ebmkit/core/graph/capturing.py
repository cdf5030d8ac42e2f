"""Functions of tensors as CUDA graphs.

One capture at a time, and all of a device on one stream: libraries keep a workspace and a handle for each
stream, which what is captured goes on using.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import TypeAlias, final

import torch
from torch import Tensor

from ebmkit.core.graph.compiling import Function, followed
from ebmkit.core.graph.stride import Strides
from ebmkit.core.precision import current_precision

__all__ = ["CaptureError", "Held", "aside", "captured", "forget_failures"]

Run: TypeAlias = Callable[[], tuple[Tensor, ...]]
Recorded: TypeAlias = tuple[Callable[[], None], tuple[Tensor, ...]]

_WARM_UPS = 3
"""Runs in which libraries choose and load their kernels, which cannot be captured."""

_streams: dict[torch.device, torch.cuda.Stream] = {}
"""Of captures, held as long as the process lives."""

_failed: set[torch.device] = set()
"""Where a capture failed: the memory that it took stays with it."""


class CaptureError(RuntimeError):
    """A CUDA graph that could not be captured."""


@final
class Held:
    """A graph that was recorded on tensors of its own: inputs are copied into them, results out of others.

    Args:
        function: what it runs.
        inputs: its own; those of a call are copied into them, into the first of their rows, columns and so
            on where its own have more.
        record: runs a function without arguments once, and returns what runs it again on the same memory,
            and its results.
    """

    def __init__(
        self, function: Function, inputs: tuple[Tensor, ...], record: Callable[[Run], Recorded]
    ) -> None:
        self._inputs = inputs
        self._alone = Lock()  # several threads may walk in the same graph
        self._replay, self._outputs = record(lambda: function(*inputs))

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """``function(*inputs)``."""
        with self._alone:
            for place, value in zip(self._inputs, inputs, strict=True):
                place[tuple(map(slice, value.shape))].copy_(value)
            self._replay()
            return tuple(each.clone(memory_format=torch.contiguous_format) for each in self._outputs)


def captured(function: Strides, inputs: tuple[Tensor, ...]) -> Function:
    """The function as a CUDA graph: one launch for all its kernels.

    Where convolutions may use tensor cores, images and kernels lie channels last, and convolutions
    hand on multiples of 8 channels.

    Raises:
        UnrecordableError: what the function does depends on the numbers in its inputs.
        CaptureError: now, or before in this process.
    """
    _refuse_a_second_failure(inputs[0].device)
    # What would end a capture is found out first, because a failed one keeps its memory.
    followed(function, tuple(each.clone() for each in inputs))
    if current_precision() == "fp32":
        places = tuple(each.clone() for each in inputs)
    else:
        places = tuple(_channels_last(each) for each in function.with_aligned_weights(inputs))
    return Held(function, places, partial(_capture, inputs[0].device))


def _channels_last(x: Tensor) -> Tensor:
    """A copy, if it is of images or kernels in that order."""
    images = x.ndim == 4  # noqa: PLR2004
    return x.clone(memory_format=torch.channels_last if images else torch.preserve_format)


@contextmanager
def aside(device: torch.device) -> Iterator[None]:
    """On a GPU: compute inside this block on the stream of captures, before and after which others wait.

    Autograd remembers on which stream a tensor was first used, so what is captured is tried there.
    """
    if device.type != "cuda":
        yield
        return
    if device not in _streams:
        _streams[device] = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream, current = _streams[device], torch.cuda.current_stream(device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        yield
    current.wait_stream(stream)


def _capture(device: torch.device, run: Run) -> Recorded:
    with aside(device):
        for _ in range(_WARM_UPS):
            run()
    graph = torch.cuda.CUDAGraph()
    # Other threads may go on meanwhile: some that read ahead pin memory.
    capture = torch.cuda.graph(graph, stream=_streams[device], capture_error_mode="thread_local")
    try:
        # A capture that fails at its end leaves its stream in place, where ``aside`` does not.
        with _uncollected(), aside(device), capture:
            outputs = run()
    except Exception as error:
        _failed.add(device)
        raise CaptureError(_told(device, error)) from error
    return graph.replay, outputs


@contextmanager
def _uncollected() -> Iterator[None]:
    """Collect garbage now and none inside this block: a graph that is freed during a capture ends it."""
    gc.collect()
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def forget_failures() -> None:
    """Let captures be tried again."""
    _failed.clear()


def _refuse_a_second_failure(device: torch.device) -> None:
    if device in _failed:
        raise CaptureError(f"a capture on {device} failed before, and none is tried again in this process")


def _told(device: torch.device, error: Exception) -> str:
    reserved = torch.cuda.memory_reserved(device) / 2**20
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    return (
        f"the capture failed ({what}), and the memory it took stays taken until this process ends "
        f"({reserved:.0f} MiB are reserved on {device}); none is tried again in this process: "
        "set graph = false"
    )
