from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from ebmkit.config.positions import locate


def paths(table: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every table and key of parsed TOML; what stands inside plain arrays is left out."""
    for key, value in table.items():
        path = (*above, key)
        yield path
        if isinstance(value, dict):
            yield from paths(value, path)


def test_every_kind_of_key_is_found_at_its_place() -> None:
    text = "\n".join(
        [
            "top = 1  # a = 2",
            "[run]",
            "  seed = 3",
            '"quoted key" = "x = [1]"',
            "[a.'b.c']",
            "d.e = [1, # ]",
            "  2, { z = 1 }]",
            "after = { use = \"adam\", deep = { lr = 1e-3 }, last = '''x",
            "y''' }",
            "[[many]]",
            "x = 1",
            "[[many]]",
            "x = 2",
        ]
    )
    found = locate(text)
    assert (found["top",].line, found["top",].column, found["top",].value_column) == (1, 1, 7)
    assert (found["run",].line, found["run",].column, found["run",].length) == (2, 2, 3)
    assert (found["run", "seed"].line, found["run", "seed"].column) == (3, 3)
    assert found["run", "quoted key"].length == len('"quoted key"')
    assert found["a", "b.c", "d", "e"].line == 6
    assert found["a", "b.c", "after", "deep", "lr"].column == text.splitlines()[7].index("lr") + 1
    assert found["a", "b.c", "after", "last"].line == 8
    assert (found["many", "0", "x"].line, found["many", "1", "x"].line) == (11, 13)


STRINGS = [
    '"a # b"',
    "'c = [d'",
    '"""x\n[y]\n"z" = 1"""',
    "'''p\nq = 2\n'''",
    r'"tail \" # \\"',
    '"""a""b"""',
]
VALUES = [*STRINGS, "1", "-2.5e3", "true", "1979-05-27T07:32:00Z", "[]", "[1, 2]", "[\n1, # ,]\n2,\n]", "{}"]


def random_document(rng: random.Random) -> str:
    """A small TOML text with unique keys and everything that could mislead a scanner."""
    lines = []
    for table in range(rng.randint(1, 4)):
        if table:
            dotted = rng.choice([f"t{table}", f'"t {table}"', f"t{table}.'s.{table}'", f" u{table} . v "])
            lines.append(f"[{dotted}]" + rng.choice(["", "  # [no]", "\r"]).replace("\r", ""))
        for key in range(rng.randint(0, 5)):
            name = rng.choice([f"k{key}", f'"k#{key}"', f"'k={key}'", f"d{key} . e", f"f{key}.'g.h'"])
            value = rng.choice(VALUES)
            if rng.random() < 0.3:
                inner = ", ".join(f"i{n}.j = {rng.choice(VALUES)}" for n in range(rng.randint(1, 3)))
                value = f"{{ {inner} }}" if "\n" not in inner else value
            lines.append(" " * rng.randint(0, 2) + f"{name} = {value}" + rng.choice(["", " # x = 1"]))
        if rng.random() < 0.3:
            lines.append("# [comment]\n")
    return rng.choice(["\n", "\r\n"]).join(lines) + rng.choice(["", "\n"])


@pytest.mark.parametrize("seed", range(20))
def test_the_keys_found_are_those_tomllib_reads(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(100):
        text = random_document(rng)
        found = locate(text)
        read = set(paths(tomllib.loads(text)))
        assert set(found) == read, text
        lines = text.split("\n")
        for path, position in found.items():
            written = lines[position.line - 1][position.column - 1 :][: position.length]
            assert written.strip("\"'") == path[-1], (path, text)


def test_text_that_is_no_toml_ends_all_the_same() -> None:
    rng = random.Random(0)
    for _ in range(500):
        locate("".join(rng.choice("[]{}=,.\"'#\n ab1") for _ in range(rng.randint(0, 40))))
