from __future__ import annotations

import weakref

import torch

from ebmkit.testing.memory import bytes_since, living_tensors, resident_bytes


class Knot:
    """Holds itself, so that counting references never ends it."""

    def __init__(self) -> None:
        self.itself, self.x = self, torch.zeros(7)


def test_only_what_came_and_stayed_is_counted_and_what_is_shared_once_and_whole() -> None:
    """One view of ten numbers keeps all hundred of them; what a cycle alone holds is gone."""
    old = torch.zeros(1000)
    before, of_old = living_tensors(), weakref.ref(old)
    kept = [torch.zeros(250), torch.zeros(3, dtype=torch.float64), torch.zeros(100)[:10]]
    kept.append(kept[0].view(25, 10).T)
    torch.zeros(10_000)
    Knot()
    assert bytes_since(before) == 250 * 4 + 3 * 8 + 100 * 4
    assert id(old) in before
    del old
    assert of_old() is None  # looking keeps nothing alive
    kept.clear()
    assert bytes_since(before) == 0


def test_resident_memory_rises_by_what_is_written_to() -> None:
    """64 MiB of ones; a tenth less, for what else may be given back meanwhile."""
    before = resident_bytes()
    kept = torch.ones(2**24)
    assert resident_bytes() - before > 0.9 * kept.nbytes
