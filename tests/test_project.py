"""Facts about the project itself: its public names, its documentation, its two commands."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main

import ebmkit
import ebmkit.plugin
from ebmkit.cli import app
from ebmkit.parameters.signature import argument_docs
from ebmkit.registry.discovery import Registry
from ebmkit.registry.kinds import KINDS

ROOT = Path(__file__).parents[1]
DOCS = {path.name: path.read_text() for path in (ROOT / "docs").rglob("*.md")}
PLUGINS = sorted(path.parent.name for path in (ROOT / "plugins").glob("*/__init__.py"))
PACKAGES = ["ebmkit", *PLUGINS]
MODULES = [
    info.name
    for package in PACKAGES
    for info in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
    if not info.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_public_names_exist_and_are_documented(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    for public in getattr(module, "__all__", ()):
        value = getattr(module, public)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{name}.{public}"


@pytest.mark.parametrize("name", MODULES)
def test_no_public_name_hides_a_module(name: str) -> None:
    """``ebmkit.core.world`` cannot be a function and a module, whichever was imported last."""
    module = importlib.import_module(name)
    inside = {info.name for info in pkgutil.iter_modules(getattr(module, "__path__", ()))}
    public = inside.intersection(getattr(module, "__all__", ()))
    assert {each for each in public if not inspect.ismodule(getattr(module, each))} == set()


def documented(module: ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every class, method and function that a module defines, private ones too."""
    own = [each for each in vars(module).values() if getattr(each, "__module__", "") == module.__name__]
    for each in own:
        if inspect.isclass(each):
            yield each.__name__, each
            members = [getattr(member, "__func__", member) for member in vars(each).values()]
            yield from ((found.__qualname__, found) for found in members if inspect.isfunction(found))
        elif inspect.isfunction(each):
            yield each.__name__, each


@pytest.mark.parametrize("name", MODULES)
def test_every_documented_argument_is_in_the_signature(name: str) -> None:
    for place, found in documented(importlib.import_module(name)):
        for argument in argument_docs([inspect.getdoc(found) or ""]):
            assert argument in inspect.signature(found).parameters, place


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_documents_every_parameter(kind: str) -> None:
    for component in Registry.discover().components(kind):
        for parameter in component.signature.parameters:
            assert parameter.doc, f"{kind}/{component.name}: {parameter.name}"


def test_the_commands_page_names_every_command() -> None:
    command = typer.main.get_command(app)
    for name in command.commands:  # type: ignore[attr-defined]
        assert f"ebmkit {name}" in DOCS["commands.md"]


def test_the_hooks_are_what_the_registry_collects() -> None:
    hooks = {name for name in ebmkit.plugin.__all__ if name.startswith("ebmkit_")}
    assert hooks == {kind.hook for kind in KINDS.values()}


def test_exit_codes_in_the_docs_are_those_of_the_errors() -> None:
    from ebmkit import errors

    kinds = [getattr(errors, name) for name in errors.__all__]
    codes = {kind.exit_code for kind in kinds if issubclass(kind, errors.EbmkitError)}
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", DOCS["commands.md"], re.MULTILINE)}
    assert codes <= documented


def test_the_documented_problem_codes_are_those_in_the_code() -> None:
    source = "".join(path.read_text() for path in (ROOT / "ebmkit").rglob("*.py"))
    used = set(re.findall(r'"(E1\d\d)"', source))
    assert used == set(re.findall(r"^\| (E1\d\d) \|", DOCS["configuration.md"], re.MULTILINE))


def test_the_readme_gives_exactly_two_set_up_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"<!-- (\w+) -->\n```sh\n(.*?)\n```", readme, re.DOTALL)
    assert [name for name, _ in blocks] == ["run", "tests"]
    assert all(command.startswith("python -m pip install -c constraints.txt ") for _, command in blocks)
    assert all("\n" not in command for _, command in blocks)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text()):
        assert (ROOT / target).exists(), target


def paths(text: str) -> set[str]:
    """The paths between backticks, each of ``a/{b,c}.py`` by itself, folders without the last slash."""
    found = re.findall(r"`([\w./]*)(?:\{([\w,]+)\})?([\w./]*)`", text)
    spelled = {f"{head}{name}{tail}" for head, names, tail in found for name in names.split(",")}
    return {path.rstrip("/") for path in spelled if "/" in path or (ROOT / path).is_file()}


def test_every_path_that_contributors_are_sent_to_exists() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    missing = sorted(path for path in paths(contributing) if not (ROOT / path).exists())
    assert missing == []


def test_every_module_has_a_place_on_the_map_and_only_one() -> None:
    """What the table's first column names: modules, packages, and the folders beside them."""
    rows = re.findall(r"^\| (`.+?) \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    places = [place for row in rows for place in paths(row)]
    assert len(places) == len(set(places))
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "ebmkit").glob("[!_]*.py")}
    packages = {f"ebmkit/{path.parent.name}" for path in (ROOT / "ebmkit").glob("*/__init__.py")}
    plugins = {f"plugins/{name}" for name in PLUGINS}
    folders = {"examples", "tests", "docs", ".ci", "mkdocs.yml"}
    assert set(places) == modules | packages | plugins | folders


def test_contributors_install_every_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    pages = [(ROOT / page).read_text() for page in ("README.md", "CONTRIBUTING.md")]
    (tests,) = re.findall(r"-e '\.\[([\w,]+)\]' && python -m pytest", pages[0])
    (tools,) = re.findall(r"-e '\.\[([\w,]+)\]'$", pages[1], re.MULTILINE)
    assert sorted(f"{tests},{tools}".split(",")) == sorted(extras)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_part_has_a_page_of_its_own(kind: str) -> None:
    assert [name for name, text in DOCS.items() if f"{{{{ parts {kind} }}}}" in text]


def test_the_contract_of_plugins_leaves_no_package_out() -> None:
    """Import contracts forbid by name: a new package would be open to plugins unless it is listed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = {each["name"]: each for each in project["tool"]["importlinter"]["contracts"]}
    (name,) = (name for name in contracts if name.startswith("plugins know only"))
    open_to_plugins = {"core", "errors", "messages", "pictures", "plugin", "testing"}
    there = {path.stem for path in (ROOT / "ebmkit").glob("[!_]*") if path.name != "py.typed"}
    forbidden = {each.removeprefix("ebmkit.") for each in contracts[name]["forbidden_modules"]}
    assert forbidden == there - open_to_plugins


def own_tests(path: Path) -> list[Path]:
    """Where the tests of a module may be: in a folder of the packages' names, a file of its own."""
    home, *inside, file = path.relative_to(ROOT).parts
    folder = ROOT / "tests"
    if home == "plugins":
        package, *deeper = inside
        folders = [folder / "plugins" / package.removeprefix("ebmkit_"), folder / "plugins"]
        return [each.joinpath(*deeper, f"test_{file}") for each in folders]
    return [folder.joinpath(*inside, f"test_{file}")]


def test_every_module_has_a_test_file_of_its_name() -> None:
    modules = [path for path in SOURCES if not path.name.startswith("__")]
    without = [path for path in modules if not any(each.is_file() for each in own_tests(path))]
    assert [str(path.relative_to(ROOT)) for path in without] == []


TOO_LONG_YET: set[str] = set()
SOURCES = sorted(path for folder in ("ebmkit", "plugins") for path in (ROOT / folder).rglob("*.py"))


def test_no_module_is_longer_than_300_lines() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name for name, length in lengths.items() if length > 300} <= TOO_LONG_YET


def bodies(path: Path) -> Iterator[tuple[str, int]]:
    """Each function of a module with the lines of its body, the docstring apart."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            yield node.name, (node.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_no_function_body_is_longer_than_40_lines() -> None:
    long = [f"{path.name}: {name}" for path in SOURCES for name, length in bodies(path) if length > 40]
    assert long == []
