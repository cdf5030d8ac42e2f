from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ebmkit.core import Rng
from ebmkit.core.graph.noise import DrawnRng, KeyedRng, NotedRng, draw_numbers, draw_words


def test_keyed_streams_draw_what_was_noted_whoever_folds_them() -> None:
    def draws(rng: Rng) -> list[Tensor]:
        like = torch.empty(3, 5, dtype=torch.float64)
        inner = rng.fold_in("inner", 2)
        return [rng.normal(like), inner.uniform(like[:, :1]), rng.normal(like.float()), inner.normal(like)]

    noted = NotedRng(Rng(1))
    draws(noted)
    for rng in (Rng(7), Rng(2**64 - 1, first_chain=40).fold_in("elsewhere")):
        for step, words in enumerate(draw_words(rng, "step", range(3, 6), noted.draws), 3):
            for found, exact in zip(draws(KeyedRng(words)), draws(rng.fold_in("step", step)), strict=True):
                assert torch.equal(found, exact)


def test_numbers_that_were_made_before_are_those_that_a_stream_would_draw() -> None:
    def draws(rng: Rng) -> list[Tensor]:
        like = torch.empty(3, 5)
        return [rng.fold_in("a").normal(like), rng.uniform(like[:, 0]), rng.normal(like.double())]

    noted, rng = NotedRng(Rng(1)), Rng(5, first_chain=2)
    exact = [draws(rng.fold_in("step", step)) for step in range(4)]
    assert all(map(torch.equal, draws(NotedRng(rng.fold_in("step", 2))), exact[2]))  # noting changes nothing
    draws(noted)
    given = draw_numbers(draw_words(rng, "step", range(4), noted.draws), noted.draws)
    assert [each.shape for each in given] == [(4, 3, 5), (4, 3), (4, 3, 5)]
    for step in range(4):
        found = draws(DrawnRng([each[step] for each in given]))
        assert all(map(torch.equal, found, exact[step]))


def test_steps_that_draw_nothing_have_no_words() -> None:
    assert draw_words(Rng(1), "step", range(3), []).shape == (3, 0)
    assert draw_numbers(torch.empty(3, 0, dtype=torch.int64), []) == []


@pytest.mark.parametrize("rng", [KeyedRng(torch.zeros(2, dtype=torch.int64)), DrawnRng([])])
def test_a_permutation_is_made_on_the_cpu_and_in_no_graph(rng: Rng) -> None:
    with pytest.raises(NotImplementedError, match=r"^a permutation inside a graph$"):
        rng.fold_in("order").permutation(5)
