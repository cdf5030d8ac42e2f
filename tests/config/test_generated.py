"""Every key of every example, wrong in every way: the right line, column and suggestion, no traceback.

The default suite takes a sample; the whole sweep, whose figures stand in the documentation, is
``pytest -m slow -s tests/config/test_generated.py``.
"""

from __future__ import annotations

import random
import statistics
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ebmkit.config import Parameter, as_toml, read_document
from ebmkit.config.document import ConfigProblemsError
from ebmkit.config.plan import make_plan
from ebmkit.config.positions import Position, locate
from ebmkit.config.problems import Problem
from ebmkit.config.records import record_in
from ebmkit.config.search import OWN_TABLES
from ebmkit.config.slots import Slot, slots_for
from ebmkit.config.tables import AveragingTable, ChainKeys, DataKeys, WeightKeys
from ebmkit.parameters.ranges import broken_bound
from ebmkit.parameters.signature import signature_of
from ebmkit.registry.discovery import Registry

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").rglob("*.toml"))
EXAMPLES = [path for path in EXAMPLES if path.name != "pyproject.toml"]
LETTERS = "abcdefghijklmnopqrstuvwxyz_"
Key = tuple[str, ...]


class Case(NamedTuple):
    """A mistake: the text with it, and what has to be said about it."""

    mistake: str
    key: Key
    text: str
    codes: tuple[str, ...]
    line: int
    column: int
    suggestion: Callable[[Problem], bool]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.discover()


def edited(name: str, rng: random.Random) -> str:
    """The name with one letter more, less, or another one, or two neighbours swapped."""
    while True:
        at = rng.randrange(len(name))
        letter = rng.choice(LETTERS)
        wrong = rng.choice(
            [
                name[:at] + name[at + 1 :],
                name[:at] + letter + name[at:],
                name[:at] + letter + name[at + 1 :],
                name[:at] + name[at + 1 : at + 2] + name[at : at + 1] + name[at + 2 :],
            ]
        )
        if wrong and wrong != name:
            return wrong


def span(text: str, position: Position) -> tuple[int, int]:
    """Begin and end of a value in characters of the text, over all the lines it takes."""
    begin = sum(len(line) + 1 for line in text.split("\n")[: position.line - 1]) + position.value_column - 1
    end = begin + position.value_length
    while end < len(text) and not is_value(text[begin:end]):
        end += 1
    return begin, end


def is_value(text: str) -> bool:
    try:
        tomllib.loads(f"v = {text}")
    except tomllib.TOMLDecodeError:
        return False
    return True


def replace(text: str, position: Position, *, key: str | None = None, value: str | None = None) -> str:
    """The text with another key, or another value, at a position."""
    if value is not None:
        begin, end = span(text, position)
        text = text[:begin] + value + text[end:]
    if key is not None:
        lines = text.split("\n")
        line, begin = lines[position.line - 1], position.column - 1
        lines[position.line - 1] = line[:begin] + key + line[begin + position.length :]
        text = "\n".join(lines)
    return text


def cases(text: str, registry: Registry, rng: random.Random) -> Iterator[Case]:
    """Every mistake in every key of a run file."""
    data = tomllib.loads(text)
    positions = {key: at for key, at in locate(text).items() if not in_record(data, key, registry)}
    parameters = {key: found for key in positions if (found := parameter_of(data, key, registry))}
    tables = dict.fromkeys(key[:-1] for key in positions if len(key) > 1)
    known = {table: names_of(data, table, registry) for table in tables}
    for key, position in positions.items():
        if key[-2:-1] == ("parts",) or is_name_of_one(data, key, registry):
            continue  # the name of one of several parts: any will do
        if key[-1] == "parts":  # a table that only those of the parts imply
            yield from misspelt(text, key, position, known[key[:-1]], rng)
            continue
        if len(key) > 1:
            yield from misspelt(text, key, position, known[key[:-1]], rng)
            yield duplicated(text, key, position)
            yield from misplaced(text, data, key, known, rng)
        else:
            yield from misspelt_table(text, key, position, data, rng)
        yield from wrong_type(text, data, key, position, parameters.get(key))
        if key in parameters:
            yield from out_of_range(text, data, key, position, parameters[key])


def value_at(data: dict[str, Any], key: Key) -> Any:
    for part in key:
        data = data[part]
    return data


def slot_of(data: dict[str, Any], table: str, registry: Registry) -> Slot:
    """What the schedule of a run file wants in a table."""
    return slots_for(registry.find("scheduler", data["schedule"]["use"]))[table]


def is_name_of_one(data: dict[str, Any], key: Key, registry: Registry) -> bool:
    """Whether a key is the name of a part where the schedule takes several: ``grids.4``."""
    return len(key) == 2 and key[0] not in OWN_TABLES and slot_of(data, key[0], registry).many


def in_record(data: dict[str, Any], key: Key, registry: Registry) -> bool:
    """Whether a key is of a table that is one value of its part, such as ``annealing``: told of as one."""
    above = (parameter_of(data, key[:length], registry) for length in range(2, len(key)))
    return any(each is not None and record_in(each.hint) is not None for each in above)


def schema(data: dict[str, Any], table: Key, registry: Registry) -> list[Parameter]:
    """The parameters of a table; its keys are these, ``use`` and ``optimizer``."""
    if table[0] in OWN_TABLES:
        return list(signature_of(OWN_TABLES[table[0]]).parameters)
    if table[-1] == "averaging":
        return list(signature_of(AveragingTable).parameters)
    if table[-1] == "optimizer":
        use = value_at(data, table).get("use", "adam")
        return list(registry.find("optimizer", use).signature.parameters)
    slot = slot_of(data, table[0], registry)
    if table[-1] == "parts" or (slot.many and len(table) == 1):
        return []
    common = {"source": DataKeys, "sampler": ChainKeys}
    shared: Any = WeightKeys if table[-2:-1] == ("parts",) else common.get(slot.kind)
    own = registry.find(slot.kind, value_at(data, table)["use"]).signature.parameters
    return [*(signature_of(shared).parameters if shared else ()), *own]


def names_of(data: dict[str, Any], table: Key, registry: Registry) -> set[str]:
    names = {each.name for each in schema(data, table, registry)}
    if table[0] in OWN_TABLES or table[-1] == "averaging":
        return names
    slot = slot_of(data, table[0], registry)
    if slot.many and len(table) == 1:
        return names
    return (
        names
        | {"use"}
        | ({"optimizer", "averaging"} if slot.learns and len(table) == 1 + slot.many else set())
    )


def parameter_of(data: dict[str, Any], key: Key, registry: Registry) -> Parameter | None:
    if len(key) < 2:
        return None
    return next((each for each in schema(data, key[:-1], registry) if each.name == key[-1]), None)


def suggests(word: str) -> Callable[[Problem], bool]:
    return lambda problem: problem.suggestion == word


def misspelt(text: str, key: Key, position: Position, known: set[str], rng: random.Random) -> Iterator[Case]:
    for _ in range(2):
        wrong = edited(key[-1], rng)
        if wrong not in known:
            changed = replace(text, position, key=wrong)
            yield Case("misspelt", key, changed, ("E103",), position.line, position.column, suggests(key[-1]))


def misspelt_table(
    text: str, key: Key, position: Position, data: dict[str, Any], rng: random.Random
) -> Iterator[Case]:
    for _ in range(3):
        wrong = edited(key[0], rng)
        if wrong not in data:
            changed = replace(text, position, key=wrong)
            yield Case("misspelt", key, changed, ("E102",), position.line, position.column, suggests(key[0]))


def duplicated(text: str, key: Key, position: Position) -> Case:
    """The pair again: below its lines, or, in an inline table, behind itself."""
    begin, end = span(text, position)
    pair = text[begin - (position.value_column - position.column) : end]
    if position.column > 1:  # in an inline table
        changed = text[:end] + ", " + pair + text[end:]
        place = (position.line, position.column + len(pair) + 2)
    else:
        below = text.find("\n", end) + 1 or len(text)
        changed = text[:below] + pair + "\n" + text[below:]
        place = (position.line + pair.count("\n") + 1, 1)
    return Case(
        "duplicated",
        key,
        changed,
        ("E112",),
        *place,
        lambda problem: f"line {position.line}" in problem.label,
    )


def misplaced(
    text: str, data: dict[str, Any], key: Key, known: dict[Key, set[str]], rng: random.Random
) -> Iterator[Case]:
    """The pair copied into another table that has no such key."""
    pair = f"{key[-1]} = {as_toml_inline(value_at(data, key))}"
    home = ".".join(key[:-1])
    if key[-1] == "use":
        return
    written = [table for table in sorted(data) if f"\n[{table}]" in f"\n{text}"]
    for table in rng.sample(written, 2):
        if key[-1] in known[table,] or table == key[0]:
            continue
        lines = text.split("\n")
        header = next(n for n, line in enumerate(lines) if line.startswith(f"[{table}]"))
        lines.insert(header + 1, pair)
        yield Case(
            "wrong table",
            key,
            "\n".join(lines),
            ("E103",),
            header + 2,
            1,
            lambda problem: f"[{home}]" in "\n".join([problem.label, *problem.helps]),
        )


def as_toml_inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {as_toml(each)}" for key, each in value.items()) + " }"
    return as_toml(value)


def wrong_type(
    text: str, data: dict[str, Any], key: Key, position: Position, parameter: Parameter | None
) -> Iterator[Case]:
    """The value in quotes, as a list, as a table; right is what tells the type that is wanted."""
    value = value_at(data, key)
    if isinstance(value, dict) or position.line == 0:
        return
    wrongs = ["{ a = 1 }", "1979-05-27"]
    if not isinstance(value, str):
        wrongs.append(as_toml(as_toml(value)))
    wrongs.append(f"[[{as_toml(value)}]]")
    for wrong in wrongs:
        changed = replace(text, position, value=wrong)
        codes = ("E104",)

        def right(problem: Problem, wrong: str = wrong) -> bool:
            if wrong.startswith('"'):  # the quotes are all that is wrong
                return (
                    problem.suggestion is not None
                    and tomllib.loads(f"v = {problem.suggestion}")["v"] == value
                )
            return "must be" in problem.message or "no optimizer" in problem.message

        yield Case("wrong type", key, changed, codes, position.line, position.value_column, right)


def out_of_range(
    text: str, data: dict[str, Any], key: Key, position: Position, parameter: Parameter
) -> Iterator[Case]:
    value = value_at(data, key)
    for wrong in (-1, 0, 10**9, -0.5, 1e9, [0], [-1], [-0.5, 2.0], []):
        typed = tuple(wrong) if isinstance(wrong, list) else wrong
        like = value[0] if isinstance(value, list) and value else value
        inner = wrong[0] if isinstance(wrong, list) and wrong else wrong
        if isinstance(wrong, list) != isinstance(value, list) or (
            inner != [] and type(inner) is not type(like)
        ):
            continue
        if isinstance(wrong, list) and wrong and isinstance(value, list) and len(wrong) != len(value):
            typed = tuple([inner] * len(value))
            wrong = list(typed)  # noqa: PLW2901
        bound = broken_bound(parameter.hint, typed)
        if bound is not None:
            changed = replace(text, position, value=as_toml(wrong))
            yield Case(
                "out of range",
                key,
                changed,
                ("E105",),
                position.line,
                position.value_column,
                lambda problem, bound=bound: bound in problem.message,
            )


def problems_of(text: str, path: Path, registry: Registry, *, data: bool = False) -> tuple[Problem, ...]:
    """What ``ebmkit check`` reports before anything is built, of examples whose data are not here."""
    path.write_text(text)
    with pytest.raises(ConfigProblemsError) as caught:
        make_plan(read_document(path), registry, data=data)
    assert str(caught.value).count("error[") == len(caught.value.problems)
    return caught.value.problems


class Tally(NamedTuple):
    placed: bool
    suggested: bool
    alone: bool
    seconds: float


def judge(case: Case, path: Path, registry: Registry) -> Tally:
    began = time.perf_counter()
    problems = problems_of(case.text, path, registry)
    seconds = time.perf_counter() - began
    at = [
        each
        for each in problems
        if each.code in case.codes and (each.line, each.column) == (case.line, case.column)
    ]
    return Tally(bool(at), any(map(case.suggestion, at)), len(problems) == 1, seconds)


def sweep(registry: Registry, tmp_path: Path, *, share: float) -> dict[str, list[tuple[Case, Tally]]]:
    rng = random.Random(5)
    tallies: dict[str, list[tuple[Case, Tally]]] = {}
    for example in EXAMPLES:
        path = tmp_path / example.name
        for case in cases(example.read_text(), registry, rng):
            if rng.random() < share:
                tallies.setdefault(case.mistake, []).append((case, judge(case, path, registry)))
    return tallies


def assert_good(tallies: dict[str, list[tuple[Case, Tally]]]) -> None:
    every = [each for mistakes in tallies.values() for each in mistakes]
    misplaced = [(case.mistake, case.key, case.text) for case, tally in every if not tally.placed]
    assert not misplaced, misplaced[0]
    wrong = [(case.mistake, case.key) for case, tally in every if not tally.suggested]
    assert len(wrong) <= 0.05 * len(every), wrong
    assert statistics.median(tally.seconds for _, tally in every) < 1


def test_a_sample_of_all_mistakes_is_told_where_it_is(registry: Registry, tmp_path: Path) -> None:
    assert_good(sweep(registry, tmp_path, share=0.1))


@pytest.mark.slow
def test_every_mistake_in_every_key_is_told_where_it_is(registry: Registry, tmp_path: Path) -> None:
    tallies = sweep(registry, tmp_path, share=1)
    print(f"\n{'mistake':<14}{'cases':>7}{'place':>12}{'suggestion':>12}{'only error':>12}{'median ms':>11}")
    every = {**tallies, "all": [each for mistakes in tallies.values() for each in mistakes]}
    for mistake, judged in every.items():
        count = len(judged)
        shares = [
            sum(getattr(tally, field) for _, tally in judged) / count
            for field in ("placed", "suggested", "alone")
        ]
        median = statistics.median(tally.seconds for _, tally in judged)
        figures = "".join(f"{share:>12.1%}" for share in shares)
        print(f"{mistake:<14}{count:>7}{figures}{1e3 * median:>11.0f}")
    assert_good(tallies)
    assert len(every["all"]) >= 2000
