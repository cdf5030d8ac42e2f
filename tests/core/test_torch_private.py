"""Torch's private parts are reached for in one place, and can be gone."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils import _python_dispatch

from ebmkit.core import torch_private
from ebmkit.core.torch_private import BusyError, TorchDispatchMode, inside

ROOT = Path(__file__).parents[2]
PRIVATE = re.compile(
    r"torch(\.\w+)*\._(?!_)|torch\.ops\.mkldnn"
    r"|from torch[\w.]* import (.*\b)?_(?!_)|from torch[\w.]*\._|\._version\b|\._backward_hooks\b|\._schema\b"
    r"|_execution_engine|_compiled_call_impl|[\"']_global_|torch\.utils\.weak"
)


def test_nothing_else_reaches_for_a_private_part_of_torch() -> None:
    files = [*ROOT.glob("ebmkit/**/*.py"), *ROOT.glob("plugins/**/*.py")]
    assert len(files) > 100
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in files
        if file.name != "torch_private.py"
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if PRIVATE.search(line)
    ]
    assert found == []


class Counting(TorchDispatchMode):
    """How many operations it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen += 1
        return func(*args, **(kwargs or {}))


@pytest.fixture(params=[False, True], ids=["alone", "beside the compiler"])
def _compiler(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_private, "compiler_is_loaded", lambda: request.param)


@pytest.mark.usefixtures("_compiler")
def test_a_mode_sees_its_thread_and_is_left() -> None:
    mode, flag = Counting(), _python_dispatch._is_in_torch_dispatch_mode
    with inside(mode):
        torch.ones(2) + 1
        thread = threading.Thread(target=lambda: torch.ones(2) + 1)
        thread.start()
        thread.join()
    torch.ones(2) + 1
    assert mode.seen == 2
    assert not torch_private.is_observed()
    assert _python_dispatch._is_in_torch_dispatch_mode == flag


def test_threads_that_cross_leave_no_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_private, "compiler_is_loaded", lambda: True)
    entered, leave = threading.Event(), threading.Event()

    def first() -> None:
        with inside(Counting()):
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(30)
    with pytest.raises(BusyError), inside(Counting(), patience=0.01):
        pass
    leave.set()
    thread.join()
    with inside(Counting()):
        pass
    assert not _python_dispatch._is_in_torch_dispatch_mode


class Without:
    """A module of torch that lacks some names."""

    def __init__(self, whole: Any, *names: str) -> None:
        self._whole, self._names = whole, names

    def __getattr__(self, name: str) -> Any:
        if name in self._names:
            raise AttributeError(name)
        return getattr(self._whole, name)


def test_what_torch_does_not_have_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("_push_on_torch_dispatch_stack", "_len_torch_dispatch_stack", "_has_storage")
    gone = Without(torch._C, *names, "_will_engine_execute_node")
    monkeypatch.setattr(torch, "_C", gone)
    mode = Counting()
    with inside(mode):
        assert torch_private.is_observed()
    assert not torch_private.is_observed()
    assert not torch_private.keeps_numbers(torch.ones(1))
    assert torch_private.is_awaited(None)


def test_tensors_that_are_written_into_are_those_of_the_schema() -> None:
    x, y = torch.ones(2), torch.ones(2)
    assert list(torch_private.written(torch.ops.aten.add_.Tensor, (x, y), {})) == [x]
    (out,) = torch_private.written(torch.ops.aten.add.out, (x, y), {"out": x})
    assert out is x
    assert list(torch_private.written(torch.ops.aten.add.Tensor, (x, y), {})) == []


def test_hooks_of_every_kind_are_in_a_table_that_is_known() -> None:
    for register in ("forward", "forward_pre", "full_backward", "full_backward_pre"):
        module = nn.Linear(1, 1)
        getattr(module, f"register_{register}_hook")(lambda *_: None)
        assert any(vars(module)[name] for name in torch_private.MODULE_HOOKS)
    for register in ("forward", "forward_pre", "full_backward", "full_backward_pre"):
        handle = getattr(nn.modules.module, f"register_module_{register}_hook")(lambda *_: None)
        assert any(torch_private.hook_tables_of_all().values())
        handle.remove()
    assert not any(torch_private.hook_tables_of_all().values())


def test_counts_of_changes_are_torchs() -> None:
    x = torch.ones(2)
    before = torch_private.change_counts([x])
    x.add_(1)
    assert torch_private.change_counts([x]) == [before[0] + 1] == [torch_private.change_count(x)]


def test_onednn_is_left_aside_where_it_is_switched_off() -> None:
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(False)
    try:
        assert not torch_private.has_onednn()
    finally:
        torch._C._set_mkldnn_enabled(before)


def test_averages_move_the_same_way_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = [torch.ones(3), torch.full((2,), 2.0)]
    found = []
    for gone in (False, True):
        if gone:
            monkeypatch.delattr(torch, "_foreach_lerp_")
        values = [torch.zeros(3), torch.zeros(2)]
        torch_private.lerp_all(values, ends, 0.25)
        found.append(values)
    assert all(map(torch.equal, *found))
