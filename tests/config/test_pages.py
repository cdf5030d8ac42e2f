from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit.config.pages import pages
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]

EXAMPLE = re.compile(r"```(?:toml|sh)\n(.*?)\n```", re.DOTALL)
EXPLAINED = {code: EXAMPLE.findall(page) for code, page in pages().items()}


@pytest.mark.parametrize("code", sorted(EXPLAINED.keys() - {"E113"}))  # that one needs a run: test_trained
def test_the_example_of_every_page_is_that_mistake_and_its_fix_is_none(
    code: str, run_file: RunFile, ebmkit: Ebmkit, images: Path
) -> None:
    wrong, right = EXPLAINED[code]
    (images.parent / "photographs").symlink_to(images)
    (images.parent / "my_parts.py").write_text("from ebmkit_convnets import ConvDescriptor as MyEnergy\n")
    for text, expected in ((wrong, True), (right, False)):
        base = "generator-only" if "generator-only" in text else "coopnets"
        err = ebmkit("check", *with_fragment(run_file(base), text)).err
        assert (f"error[{code}]" in err) == expected, err
        assert "Traceback" not in err


def with_fragment(file: Path, fragment: str) -> list[object]:
    """The run file with the tables of a fragment in the place of its own; or the options of a command."""
    if fragment.startswith("ebmkit run"):
        return [file, *fragment.split()[3:]]
    text = file.read_text()
    names = re.findall(r"^\[(\w+)\]", fragment, re.MULTILINE)
    meant = [{"revison": "revision"}.get(name, name) for name in names]
    for name in meant:
        text = re.sub(rf"^\[{name}\]\n(?:[^\[\n].*\n|\n)*", "", text, flags=re.MULTILINE)
    kept = {"data": "size = 16\ncolor = false\nbatch = 5\n"}
    file.write_text(text + "\n" + fragment + "\n" + "".join(kept.get(name, "") for name in meant))
    return [file]


def test_every_code_has_a_page() -> None:
    source = "".join(path.read_text() for path in (Path(__file__).parents[2] / "ebmkit").rglob("*.py"))
    assert set(re.findall(r'"(E1\d\d)"', source)) == set(EXPLAINED)
