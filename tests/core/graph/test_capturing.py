"""The order of calls in which a GPU captures, with torch's classes for it noting what they are asked.

No GPU takes part: that the calls do what they are said to do is not tested.
"""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core.graph import capturing
from ebmkit.core.graph.capturing import CaptureError, Held, aside, captured
from ebmkit.core.graph.recording import UnrecordableError
from ebmkit.core.graph.stride import Form, Strides
from ebmkit.core.rng import Rng
from ebmkit_langevin.langevin import Langevin
from tests.models import LinearDescriptor, double

GPU = torch.device("cuda", 0)


class Device:
    """What is asked of torch.cuda, in its order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.current, self.fails, self.streams = "default", False, 0
        for name in ("Stream", "stream", "current_stream", "CUDAGraph", "graph", "memory_reserved"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))
        monkeypatch.setattr(capturing, "_streams", {})
        monkeypatch.setattr(capturing, "_failed", set())

    def note(self, what: str) -> None:
        self.asked.append(f"{what} on {self.current}")

    def named(self, name: str) -> Any:
        device = self

        class Named:
            def wait_stream(self, other: Any) -> None:
                device.asked.append(f"{name} waits for {other.name}")

        stream: Any = Named()
        stream.name = name
        return stream

    def Stream(self, device: torch.device) -> Any:  # noqa: N802
        self.streams += 1
        return self.named(f"side {device.index}")

    def current_stream(self, device: torch.device) -> Any:
        return self.named(self.current)

    @contextmanager
    def stream(self, stream: Any) -> Iterator[None]:
        before, self.current = self.current, stream.name
        try:
            yield
        finally:
            self.current = before

    def CUDAGraph(self) -> Any:  # noqa: N802
        class Graph:
            replay = None

        return Graph()

    @contextmanager
    def graph(self, graph: Any, *, stream: Any, capture_error_mode: str) -> Iterator[None]:
        self.note(f"capture {capture_error_mode} to {stream.name}, collector {gc.isenabled()}")
        self.current = stream.name
        yield
        self.note("captured")
        if self.fails:  # as torch does: its stream stays
            raise RuntimeError("CUDA error: operation failed\nand more")

    def memory_reserved(self, device: torch.device) -> int:
        return 3 * 2**20


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    return Device(monkeypatch)


def capture(device: Device) -> Any:
    def run() -> tuple[Tensor, ...]:
        device.note("run")
        return ()

    return capturing._capture(GPU, run)


def test_warm_ups_and_capture_are_on_one_stream_that_is_held(device: Device) -> None:
    capture(device)
    capture(device)
    first = device.asked[: len(device.asked) // 2]
    assert first == device.asked[len(first) :]
    assert first == [
        "side 0 waits for default",
        *["run on side 0"] * 3,
        "default waits for side 0",
        "side 0 waits for default",
        "capture thread_local to side 0, collector False on side 0",
        "run on side 0",
        "captured on side 0",
        "default waits for side 0",
    ]
    assert device.streams == 1
    assert list(capturing._streams) == [GPU]


def test_what_is_compared_runs_on_the_stream_of_captures(device: Device) -> None:
    with aside(torch.device("cpu")):
        device.note("a step")
    with aside(GPU):
        device.note("a step")
    assert device.asked == [
        "a step on default",
        "side 0 waits for default",
        "a step on side 0",
        "default waits for side 0",
    ]


@pytest.mark.parametrize("collecting", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_garbage_goes_before_a_capture_and_the_collector_is_as_before_after(
    device: Device, collecting: bool, fails: bool
) -> None:
    class Circle:
        def __init__(self) -> None:
            self.itself = self

    was, device.fails = gc.isenabled(), fails
    gone = weakref.ref(Circle())
    try:
        (gc.enable if collecting else gc.disable)()
        try:
            capture(device)
        except CaptureError:
            assert fails
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if was else gc.disable)()
    assert gone() is None
    assert "capture thread_local to side 0, collector False on side 0" in device.asked


def test_a_capture_that_fails_is_told_with_its_memory_and_leaves_no_stream_behind(device: Device) -> None:
    device.fails = True
    message = (
        "the capture failed (RuntimeError: CUDA error: operation failed), and the memory it took stays taken "
        "until this process ends (3 MiB are reserved on cuda:0); none is tried again in this process: "
        "set graph = false"
    )
    with pytest.raises(CaptureError, match=f"^{re.escape(message)}$"):
        capture(device)
    assert device.current == "default"
    assert capturing._failed == {GPU}


def strides(energy: nn.Module) -> tuple[Strides, tuple[Tensor, ...]]:
    sampler, x = Langevin(step_size=0.3), double(6, 4, seed=1)
    state = sampler.init(energy, x)  # type: ignore[arg-type]
    form = Form.found(sampler, energy, state, steps=2, inside=True)
    random = next(form.random(Rng(0), 2, x.device))
    weights = (each.detach() for each in energy.parameters())
    return Strides(sampler, energy, form), (*random, *state, *weights)  # type: ignore[misc]


def test_none_is_tried_again_after_a_failure(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    function, inputs = strides(LinearDescriptor(double(4), 0.5))
    monkeypatch.setattr(capturing, "_capture", lambda device, run: (lambda: None, run()))
    assert isinstance(captured(function, inputs), Held)
    capturing._failed.add(inputs[0].device)
    with pytest.raises(CaptureError, match="a capture on cpu failed before, and none is tried again"):
        captured(function, inputs)
    capturing.forget_failures()
    assert isinstance(captured(function, inputs), Held)


class Choosy(LinearDescriptor):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if self.weight.sum() > 0 else super().forward(-x)


def test_what_asks_the_host_is_found_out_before_a_capture_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    function, inputs = strides(Choosy(double(4), 0.5))
    monkeypatch.setattr(capturing, "_capture", lambda device, run: pytest.fail("begun"))
    with pytest.raises(UnrecordableError, match="reads numbers out of a tensor"):
        captured(function, inputs)
