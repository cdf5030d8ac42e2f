"""All that is wrong with a run file is told in one round: no mistake waits until another one is mended.

The default suite takes a sample; ``pytest -m slow -s tests/config/test_rounds.py`` states the share of many.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ebmkit.config.positions import locate
from ebmkit.messages.spelling import nearest
from ebmkit.registry.discovery import Registry
from tests.config.test_generated import EXAMPLES, Case, cases, edited, problems_of, replace, slot_of
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]
Place = tuple[str, int, int]

EIGHT = """\
[run]
iteratons = 100

[data]
use = "folder"
path = "not/there"
batch = 0

[energy]
use = "descriptr"
chanels = [16, 32]
optimizer = { use = "adam", lr = "1e-2" }

[generator]
use = "generator"
latents = "8"

[revision]
use = "langevin"
stepsize = 0.01

[schedule]
use = "coopnets"
"""
TOLD = {
    ("E103", 2, 1),
    ("E111", 6, 8),
    ("E105", 7, 9),
    ("E107", 10, 7),
    ("E103", 11, 1),
    ("E104", 12, 34),
    ("E104", 16, 11),
    ("E103", 20, 1),
}


@pytest.mark.parametrize("command", ["check", "run"])
def test_eight_mistakes_take_one_round_and_no_torch(command: str, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(EIGHT)
    code = f"""
        import sys
        sys.argv = ["ebmkit", "{command}", "bad.toml", "--json"]
        from ebmkit.cli import main
        try:
            main()
        except SystemExit as stopped:
            print(stopped.code, "torch" in sys.modules, file=sys.stderr)
    """
    python = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(python, cwd=tmp_path, capture_output=True, text=True, check=True)
    errors = json.loads(done.stdout)["errors"]
    assert done.stderr.splitlines()[-1] == "2 False"
    assert {(each["code"], each["line"], each["column"]) for each in errors} == TOLD
    assert len(errors) == len(TOLD) == 8
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"]


def told(file: Path, ebmkit: Ebmkit) -> list[tuple[str, str]]:
    """Code and message of everything that ``ebmkit check`` says."""
    answer = json.loads(ebmkit("check", file, "--json").out)
    return [(each.get("code", ""), each["message"]) for each in answer["errors"]]


def test_of_an_unknown_part_all_is_checked_that_does_not_depend_on_it(
    run_file: RunFile, ebmkit: Ebmkit
) -> None:
    file = run_file("coopnets")
    file.write_text(
        file.read_text()
        .replace('use = "folder"', 'use = "lake"\nworkers = -1\ndepth = 3')
        .replace('use = "descriptor"', 'use = "transformer"\nwidth = 3')
        .replace(
            'optimizer = { use = "adam", lr = 1e-3 }\n\n[generator]',
            "optimizr = { lr = -1.0 }\n\n[generator]",
        )
        .replace(
            "[revision]", '[energy.prts.first]\nuse = "descriptor"\nweight = "1"\noutputs = 0\n\n[revision]'
        )
        .replace('use = "langevin"\nsteps = 3', "steps = 3.5\ntemperature = 1.0")
        + "\n[guard]\nstep_factor = 0.5\n"
    )
    heads = sorted(
        (code, message.partition(";")[0].partition(" must")[0]) for code, message in told(file, ebmkit)
    )
    assert heads == [
        ("E103", "unknown key 'optimizr' for [energy]"),
        ("E103", "unknown key 'prts' for [energy]"),
        ("E104", "'steps'"),
        ("E104", "'weight'"),
        ("E105", "'lr'"),
        ("E105", "'outputs'"),
        ("E105", "'workers'"),
        ("E106", "missing key 'use' in [revision]"),
        ("E107", "no energy named 'transformer'"),
        ("E107", "no source named 'lake'"),
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "heads"),
    [
        ('use = "adam", lr = 1e-3', 'use = "adan", lr = 0.0, eps = 0.0', ["no optimizer", "'lr'", "'eps'"]),
        ('use = "adam", lr = 1e-3', 'use = "lion", lr = 0.0, sigma = 1', ["no optimizer", "'lr'"]),
        ('use = "adam", lr = 1e-3', "use = [1], lr = 0.0", ["'use' must be a string", "'lr'"]),
        ("optimizer = {", "optimiser = {", ["unknown key 'optimiser'"]),
        ('optimizer = { use = "adam", lr = 1e-3', "optimiser = { rl = 0.0", ["unknown", "unknown", "'lr'"]),
        ("steps = 3", 'setps = "3"', ["unknown key 'setps'", "'steps'"]),
        ("steps = 3", 'setps = "3"\nsteps = 3', ["unknown key 'setps'"]),
        ("path =", 'path = "no/such"\npth =', ["path = 'no/such' does not exist", "unknown key 'pth'"]),
    ],
)  # fmt: skip
def test_no_mistake_hides_behind_another(
    right: str, wrong: str, heads: list[str], run_file: RunFile, ebmkit: Ebmkit
) -> None:
    file = run_file("coopnets")
    assert right in file.read_text()
    file.write_text(file.read_text().replace(right, wrong, 1))
    messages = [message for _, message in told(file, ebmkit)]
    assert len(messages) == len(heads), messages
    for head, message in zip(sorted(heads), sorted(messages), strict=True):
        assert message.startswith(head)


def test_what_several_parts_refuse_is_told_together(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    text = file.read_text().replace("kernels = [5, 3]", "kernels = [5]")
    file.write_text(text.replace("channels = [8, 4]", "channels = [8, 4, 4, 4, 4]"))
    assert [code for code, _ in told(file, ebmkit)] == ["E109", "E109"]


class Edit(NamedTuple):
    """A mistake as the lines it replaces, and where it then stands among its own."""

    case: Case
    begin: int
    end: int
    lines: list[str]
    table: str

    @property
    def hides_its_table(self) -> bool:
        """Whether nobody can tell any more what the table's keys are."""
        return self.case.key[-1] == "use" and self.case.mistake == "wrong type"


def as_edit(text: str, case: Case) -> Edit:
    before, after = text.split("\n"), case.text.split("\n")
    shared = min(len(before), len(after))
    head = next((n for n in range(shared) if before[n] != after[n]), shared)
    tail = next((n for n in range(shared - head) if before[-1 - n] != after[-1 - n]), shared - head)
    headers = [line for line in before[: head + 1] if line.startswith("[")]
    return Edit(
        case, head, len(before) - tail, after[head : len(after) - tail], headers[-1] if headers else ""
    )


def misspelt_parts(text: str, registry: Registry, rng: random.Random) -> Iterator[Case]:
    """Every ``use`` that names a part, with a letter wrong and the right name still the nearest."""
    data = tomllib.loads(text)
    for key, position in locate(text).items():
        if key[-1] != "use" or key[-2] == "optimizer":
            continue
        begin = position.value_column
        right = text.split("\n")[position.line - 1][begin : begin + position.value_length - 2]
        names = [each.name for each in registry.components(slot_of(data, key[0], registry).kind)]
        wrong = edited(right, rng)
        if wrong not in names and nearest(wrong, names) == right:
            changed = replace(text, position, value=f'"{wrong}"')
            yield Case("misspelt part", key, changed, ("E107",), position.line, begin, lambda _: True)


def some(edits: list[Edit], count: int, rng: random.Random) -> list[Edit]:
    """Mistakes of which none makes another one untold or untrue, in the order of their lines."""
    chosen: list[Edit] = []
    parts = [each for each in edits if each.case.mistake == "misspelt part"]  # the rarest, and hide most
    for each in (*rng.sample(parts, rng.randint(0, 2)), *rng.sample(edits, len(edits))):
        apart = all(each.begin > other.end or each.end < other.begin for other in chosen)
        alone = [
            each.hides_its_table or other.hides_its_table for other in chosen if other.table == each.table
        ]
        if apart and not any(alone) and len(chosen) < count:
            chosen.append(each)
    return sorted(chosen, key=lambda each: each.begin)


def together(text: str, edits: list[Edit]) -> tuple[str, list[Place]]:
    """A text with all these mistakes, and the places where each must be told."""
    lines, places, moved = text.split("\n"), [], 0
    for each in edits:
        lines[each.begin + moved : each.end + moved] = each.lines
        places += [(code, each.case.line + moved, each.case.column) for code in each.case.codes]
        moved += len(each.lines) - (each.end - each.begin)
    return "\n".join(lines), places


def untold(registry: Registry, folder: Path, files: int) -> tuple[int, list[tuple[str, Place]]]:
    """How many mistakes were made in so many files, and those that one round did not tell."""
    rng = random.Random(7)
    made, missed = 0, []
    texts = [path.read_text() for path in EXAMPLES]
    edits: dict[str, list[Edit]] = {}
    for text in texts:
        mistakes = (*cases(text, registry, rng), *misspelt_parts(text, registry, rng))
        edits[text] = [as_edit(text, each) for each in mistakes]
    for _ in range(files):
        text = rng.choice(texts)
        wrong, places = together(text, some(edits[text], rng.randint(2, 10), rng))
        problems = problems_of(wrong, folder / "wrong.toml", registry, data=True)
        found = {(each.code, each.line, each.column) for each in problems}
        made += len(places)
        missed += [(wrong, place) for place in places if place not in found]
    return made, missed


def test_a_sample_of_many_mistakes_together_is_told_in_one_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made, missed = untold(Registry.discover(), tmp_path, 60)
    assert made > 200
    assert not missed, missed[0]


@pytest.mark.slow
def test_many_mistakes_together_are_told_in_one_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made, missed = untold(Registry.discover(), tmp_path, 2000)
    print(f"\n{made} mistakes in 2000 files, {1 - len(missed) / made:.2%} told in one round")
    assert made > 8000
    assert not missed, missed[0]
