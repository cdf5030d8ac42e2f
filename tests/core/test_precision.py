from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from ebmkit.core import computing_in
from ebmkit.core.precision import current_precision


def test_a_block_in_a_block_has_its_own_precision_and_gives_the_outer_one_back() -> None:
    assert current_precision() == "fp32"
    with computing_in("bf16"):
        with computing_in("mixed"):
            assert current_precision() == "mixed"
        assert current_precision() == "bf16"
        with suppress(ArithmeticError), computing_in("fp32"):
            raise ArithmeticError
        assert current_precision() == "bf16"
    assert current_precision() == "fp32"


def test_other_threads_do_not_compute_in_the_precision_of_this_one() -> None:
    with ThreadPoolExecutor(1) as pool, computing_in("bf16"):
        assert pool.submit(current_precision).result() == "fp32"
