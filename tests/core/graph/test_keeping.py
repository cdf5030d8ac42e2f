"""Graphs come and go by generations; what is told is told once."""

from __future__ import annotations

import threading
import weakref

import pytest
import torch
from torch import Tensor

from ebmkit.core.graph import keeping
from ebmkit.core.graph.keeping import Generation, Graph, Shelf
from ebmkit.core.graph.stride import Form
from ebmkit.core.sampler import Position

GPU = torch.device("cuda", 0)
FORM = Form(1, Position, (), (), (), 0, inside=True)


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens to a GPU that is not there, and to graphs, in its order."""
    happened: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: happened.append(f"wait for {device}"))
    return happened


def graph(number: int, events: list[str], device: torch.device = GPU) -> Graph:
    def run(*inputs: Tensor) -> tuple[Tensor, ...]:
        return inputs

    weakref.finalize(run, events.append, f"gone {number}")
    return Graph(FORM, run, device)


def fill(shelf: Shelf, numbers: range, events: list[str]) -> None:
    for number in numbers:
        shelf.find(number, lambda number=number: graph(number, events))  # type: ignore[misc]


def test_a_full_generation_goes_at_once_after_the_gpu_is_done(events: list[str]) -> None:
    shelf = Shelf()
    fill(shelf, range(8), events)
    assert events == []
    fill(shelf, range(8, 9), events)
    assert events[0] == "wait for cuda:0"
    assert sorted(events[1:]) == [f"gone {number}" for number in range(8)]
    assert list(shelf.generation) == [8]


def test_a_chain_that_is_under_way_keeps_its_whole_generation(events: list[str]) -> None:
    """No other graph of the same stream is destroyed while one may run."""
    shelf = Shelf()
    found = shelf.find(0, lambda: graph(0, events))
    assert found is not None
    fill(shelf, range(1, 9), events)
    assert events == ["wait for cuda:0"]
    keeping.settle(found[0])
    del found
    assert events[:2] == ["wait for cuda:0"] * 2
    assert len(events) == 2 + 8


def test_no_device_is_woken_that_no_graph_is_on(events: list[str]) -> None:
    shelf = Shelf()
    shelf.find(0, lambda: graph(0, events, torch.device("cpu")))
    shelf.forget()
    assert events == ["gone 0"]


def test_what_was_refused_is_not_made_again(events: list[str]) -> None:
    shelf = Shelf()
    fill(shelf, range(2), events)
    shelf.refuse(0)
    assert shelf.find(0, lambda: pytest.fail("made again")) is None  # type: ignore[arg-type]
    assert shelf.kept() == [True, False]
    shelf.forget()
    assert shelf.kept() == []


def test_of_threads_that_ask_for_one_graph_one_makes_it(events: list[str]) -> None:
    shelf, wait = Shelf(), threading.Barrier(4)
    made: list[int] = []
    found: list[tuple[Generation, Graph] | None] = []

    def make() -> Graph:
        made.append(threading.get_ident())
        return graph(0, events)

    def ask() -> None:
        wait.wait()
        found.append(shelf.find(0, make))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len({id(each[1]) for each in found if each is not None}) == 1


def test_others_walk_in_their_graphs_while_one_is_made(events: list[str]) -> None:
    shelf = Shelf()
    fill(shelf, range(1), events)
    making, go_on = threading.Event(), threading.Event()

    def slowly() -> Graph:
        making.set()
        assert go_on.wait(30)
        return graph(1, events)

    thread = threading.Thread(target=lambda: shelf.find(1, slowly))
    thread.start()
    assert making.wait(30)
    assert shelf.find(0, slowly) is not None
    go_on.set()
    thread.join()


def test_what_is_told_is_told_once() -> None:
    shelf = Shelf()
    with pytest.warns(RuntimeWarning, match="it walks"):
        shelf.warn("it walks")
    shelf.warn("it walks")
