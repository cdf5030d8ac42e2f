from __future__ import annotations

from contextlib import suppress
from itertools import count

import pytest
from torch import Tensor

from ebmkit.core import Rng, run_chain
from ebmkit.core.stopping import Stopped, check_stop, may_stop, stoppable, unstoppable
from ebmkit_langevin.langevin import Langevin
from tests.models import LinearDescriptor, double


def test_nothing_stops_where_nobody_asked() -> None:
    assert not may_stop()
    check_stop()
    with stoppable(lambda: False):
        assert may_stop()
        check_stop()
    assert not may_stop()


@pytest.mark.parametrize("steps", [0, 3])
def test_a_chain_begins_no_step_once_its_end_was_asked_for(steps: int) -> None:
    asked, evaluated = count(), count()

    def energy(x: Tensor) -> Tensor:
        next(evaluated)
        return x.square().sum(1)

    with pytest.raises(Stopped), stoppable(lambda: next(asked) == steps):
        run_chain(Langevin(step_size=0.1), energy, double(2, 4), steps=50, rng=Rng(0))
    assert next(evaluated) == steps


def test_a_block_that_cannot_be_left_half_done_runs_to_its_end() -> None:
    with stoppable(lambda: True):
        with unstoppable():
            assert not may_stop()
            check_stop()
            run_chain(Langevin(), LinearDescriptor(double(4), 0.5), double(2, 4), steps=3, rng=Rng(0))
        assert may_stop()
        with pytest.raises(Stopped):
            check_stop()


def test_the_block_inside_decides_and_gives_back_what_held_outside() -> None:
    with stoppable(lambda: True):
        with stoppable(lambda: False):
            check_stop()
        with suppress(Stopped), stoppable(lambda: True):
            check_stop()
        with pytest.raises(Stopped):
            check_stop()
    assert not may_stop()


def test_no_handler_of_errors_takes_it() -> None:
    """A part that forgives whatever it meets cannot go on by mistake."""

    def forgiving() -> None:
        with suppress(Exception):
            check_stop()
        pytest.fail("went on")

    with stoppable(lambda: True), pytest.raises(Stopped):
        forgiving()
