from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from ebmkit.registry.components import tame


def test_threads_that_load_plugins_in_turn_leave_stdout_as_it_is() -> None:
    """Each begins before the other ends: who ends last must not put back what the other had set."""
    before, first_is_in = sys.stdout, threading.Event()

    def first() -> None:
        with tame():
            first_is_in.set()
            time.sleep(0.1)

    def second() -> None:
        first_is_in.wait()
        with tame():
            time.sleep(0.2)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(first), pool.submit(second)]:
            done.result()
    assert sys.stdout is before
