"""No fast path changes an answer: hostile energies with ebmkit, and in another process with torch alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.hostile.driver import ROOT, Case, Verdict, compared
from tests.hostile.generate import case
from tests.hostile.mutants import Mutant, mutants
from tests.hostile.mutations import intact, last_look, noticing
from tests.hostile.named import named
from tests.hostile.replay import called

SMALL = range(200)
LARGE = range(2400)
_TOGETHER = 200
"""Generated cases of one test, so that several processes can share them."""


@pytest.fixture(scope="module")
def by_name(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    """Of the cases written by hand: run together, because starting two processes is what takes long."""
    return {each.case.name: each for each in compared(named(), tmp_path_factory.mktemp("named"))}


@pytest.mark.parametrize("name", [each.name for each in named()])
def test_form_that_was_found_in_the_field(name: str, by_name: dict[str, Verdict]) -> None:
    if by_name[name].differences:
        pytest.fail(told([by_name[name]]), pytrace=False)


def test_small_generated_energies(tmp_path: Path) -> None:
    check((case(seed, small=True) for seed in SMALL), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("first", LARGE[::_TOGETHER])
def test_generated_energies(first: int, tmp_path: Path) -> None:
    check(map(case, LARGE[first : first + _TOGETHER]), tmp_path)


def test_another_rounding_is_no_difference(tmp_path: Path) -> None:
    """The rule does not take torch without oneDNN for another answer than torch with it."""
    check((case(seed, small=True) for seed in range(1000, 1040)), tmp_path, role="rounded")


def test_reference_runs_without_ebmkit_and_a_wrong_answer_is_told(tmp_path: Path) -> None:
    lies = [
        Case(
            "wrong",
            _ENERGY
            + "    kit.part('p', lambda: x * (1.1 if kit.__class__.__name__ == 'FastKit' else 1.0))\n",
        ),
        Case(
            "raises", _ENERGY + "    kit.part('p', lambda: x if kit.__class__.__name__ == 'Kit' else x[9])\n"
        ),
        Case(
            "silent", _ENERGY + "    kit.part('p', lambda: x[9] if kit.__class__.__name__ == 'Kit' else x)\n"
        ),
        Case(
            "leaves", _ENERGY + "    kit.watch(x=x)\n    if kit.__class__.__name__ == 'FastKit': x.add_(1)\n"
        ),
        Case("draws", _ENERGY + "    if kit.__class__.__name__ == 'FastKit': torch.rand(1)\n"),
        Case("ends", _ENERGY + "    if kit.__class__.__name__ == 'FastKit': import os; os._exit(3)\n"),
        Case(
            "patches",
            _ENERGY
            + "    if kit.__class__.__name__ == 'FastKit': torch.nn.Module.__call__ = lambda *a: None\n",
        ),
        Case(
            "imports",
            _ENERGY
            + "    import sys; assert 'ebmkit' not in sys.modules or kit.__class__.__name__ == 'FastKit'\n",
        ),
        Case("same", _ENERGY + "    kit.part('p', lambda: x)\n"),
    ]
    found = {each.case.name: "; ".join(each.differences) for each in compared(lies, tmp_path)}
    assert found == {
        "wrong": "p: result: off by 0.1 of its norm, torch by 0",
        "raises": (
            "p: raised IndexError: index 9 is out of bounds for dimension 0 with size 2 where "
            "torch gives an answer"
        ),
        "silent": (
            "p: gave an answer where torch raises IndexError: index 9 is out of bounds for "
            "dimension 0 with size 2"
        ),
        "leaves": found["leaves"],
        "draws": "torch's generator was used",
        "ends": "ended the process with 3",
        "patches": "nn.Module.__call__ is another one in the process",
        "imports": "",
        "same": "",
    }
    assert found["leaves"].startswith("x: off by")


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_what_a_mutant_takes_out_is_there(mutant: Mutant, tmp_path: Path) -> None:
    for patch in mutant.patches:
        (tmp_path / patch.file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / patch.file).write_text((ROOT / patch.file).read_text())
    mutant.apply(tmp_path)
    for patch in mutant.patches:
        compile((tmp_path / patch.file).read_text(), patch.file, "exec")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the reference, to the cases of mutants, of which one alone misses the look at a chain's end."""
    folder = tmp_path_factory.mktemp("answers")
    cases = [called(name) for name in sorted({each.seen_by for each in mutants()})]
    assert intact(cases, folder) == cases
    assert noticing(last_look(), cases, folder) == [last_look().seen_by]
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_case_notices_what_a_mutant_takes_out(mutant: Mutant, answers: Path) -> None:
    assert noticing(mutant, [called(mutant.seen_by)], answers)


def test_text_of_a_seed_is_the_same_for_ever() -> None:
    assert case(7) == case(7)
    assert case(7).source != case(8).source


_ENERGY = "import torch\n\n\ndef run(kit):\n    x = kit.numbers(2, 3)\n"


def check(cases: Iterable[Case], folder: Path, *, role: str = "fast") -> None:
    """All verdicts are what they should be."""
    wrong = [each for each in compared(cases, folder, role=role) if each.differences]
    if wrong:
        pytest.fail(told(wrong), pytrace=False)


def told(verdicts: list[Verdict]) -> str:
    """Every case that differs in a line, the first one in full, and how to run it alone."""
    lines = [f"{each.case.name}: {'; '.join(each.differences[:5])[:400]}" for each in verdicts]
    first = verdicts[0].case
    return "\n".join([*lines, "", first.source, f"alone: python -m tests.hostile.replay {first.name}"])
