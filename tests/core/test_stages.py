from __future__ import annotations

import time
from threading import Thread

import pytest

from ebmkit.core.stages import stage, timed_stages


def test_seconds_of_one_name_add_up_and_others_are_their_own() -> None:
    with timed_stages() as seconds:
        for _ in range(2):
            with stage("long"):
                time.sleep(0.02)
        with stage("short"):
            pass
    assert list(seconds) == ["long", "short"]
    assert seconds["long"] >= 0.04
    assert 0 <= seconds["short"] < seconds["long"]


def test_a_stage_that_fails_is_timed_and_the_failure_goes_on() -> None:
    with timed_stages() as seconds:
        with pytest.raises(RuntimeError, match="lost"), stage("failing"):
            raise RuntimeError("lost")
        with stage("after"):
            pass
    assert list(seconds) == ["failing", "after"]


def test_the_time_of_an_inner_stage_is_part_of_the_outer_one() -> None:
    with timed_stages() as seconds, stage("outer"), stage("inner"):
        time.sleep(0.01)
    assert seconds["outer"] >= seconds["inner"] >= 0.01


def test_nothing_is_collected_outside_and_the_outer_collection_is_given_back() -> None:
    with stage("nobody"):
        pass
    with timed_stages() as outer:
        with timed_stages() as inner, stage("inside"):
            pass
        with stage("outside"):
            pass
    assert (list(outer), list(inner)) == (["outside"], ["inside"])
    with stage("nobody"):
        pass
    assert list(outer) == ["outside"]


def test_another_thread_is_not_timed() -> None:
    def work() -> None:
        with stage("elsewhere"):
            pass

    with timed_stages() as seconds:
        thread = Thread(target=work)
        thread.start()
        thread.join()
    assert seconds == {}
