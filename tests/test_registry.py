from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from ebmkit.plugin import hookimpl
from ebmkit.registry import KINDS, Registry, UnknownComponentError

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution with one plugin module on the path, as pip would leave it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(distribution: str, module: str, source: str, *, point: str | None = None) -> None:
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        info = tmp_path / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[ebmkit]\n{point or module} = {module}\n")

    return put


SAMPLER = """
    from ebmkit.plugin import hookimpl

    class Walk:
        '''A walk.'''

    @hookimpl
    def ebmkit_samplers():
        return {"NAME": Walk}
"""


def test_the_parts_of_this_distribution_come_through_entry_points() -> None:
    registry = Registry.discover()
    assert registry.broken == []
    assert {each.name for each in registry.components("scheduler")} == {
        "coopnets",
        "descriptor-only",
        "generator-only",
        "sampling",
    }
    for kind in KINDS:
        assert {each.distribution for each in registry.components(kind)} == {"ebmkit-torch"}


def test_a_third_party_sampler_stands_beside_the_first_party_ones(install: Install) -> None:
    install("someone-walks", "someone_walks", SAMPLER.replace("NAME", "walk"))
    found = Registry.discover().find("sampler", "walk")
    assert (found.distribution, found.version, found.factory.__name__) == ("someone-walks", "1.2", "Walk")


@pytest.mark.parametrize(
    "source",
    [
        "import not_there_at_all",
        "raise RuntimeError('boom')",
        "import sys; sys.exit(3)",
        "def broken(:",
        "from ebmkit.plugin import hookimpl\n@hookimpl\ndef ebmkit_sampler():\n    return {}",
        "from ebmkit.plugin import hookimpl\n@hookimpl\ndef ebmkit_samplers(surprise):\n    return {}",
        "from ebmkit.plugin import hookimpl\n@hookimpl\ndef ebmkit_samplers():\n    raise KeyError('late')",
        "from ebmkit.plugin import hookimpl\n@hookimpl\ndef ebmkit_samplers():\n    return 7",
    ],
    ids=["missing", "raises", "exits", "syntax", "misspelt", "argument", "hook-raises", "no-mapping"],
)
def test_a_broken_plugin_harms_nobody_else(
    install: Install, source: str, request: pytest.FixtureRequest
) -> None:
    module = "broken_" + request.node.callspec.id.replace("-", "_")
    install(f"broken-{module}", module, source)
    registry = Registry.discover()
    assert registry.find("sampler", "langevin").distribution == "ebmkit-torch"
    (broken,) = registry.broken
    assert broken.distribution == f"broken-{module}"
    assert broken.reason


def test_a_name_offered_twice_is_an_error_only_when_it_is_used_alone(install: Install) -> None:
    install("someone-langevin", "someone_langevin", SAMPLER.replace("NAME", "langevin"), point="langevin")
    registry = Registry.discover()
    with pytest.raises(UnknownComponentError, match=r"ebmkit-torch .* and someone-langevin 1.2") as caught:
        registry.find("sampler", "langevin")
    assert caught.value.exit_code == 4
    assert registry.find("sampler", "someone-langevin:langevin").factory.__name__ == "Walk"
    assert registry.find("sampler", "ebmkit-torch:langevin").factory.__name__ == "Langevin"


def test_an_unknown_name_lists_what_there_is_and_what_is_broken(install: Install) -> None:
    install("broken-one", "broken_one", "import not_there_at_all")
    with pytest.raises(UnknownComponentError) as caught:
        Registry.discover().find("sampler", "langevim")
    assert caught.value.suggestion == "langevin"
    names = ", ".join(each.name for each in Registry.discover().components("sampler"))
    assert f"installed: {names}; did you mean 'langevin'?\n" in str(caught.value)
    assert "plugin 'broken_one' of broken-one 1.2 is broken: ModuleNotFoundError" in str(caught.value)


def test_without_any_plugin_the_message_says_to_install() -> None:
    with pytest.raises(UnknownComponentError, match="pip install"):
        Registry().find("sampler", "langevin")


def test_a_plugin_can_be_registered_by_hand() -> None:
    module = ModuleType("by_hand")

    @hookimpl
    def ebmkit_samplers() -> dict[str, type]:
        return {"by-hand": object}

    module.ebmkit_samplers = ebmkit_samplers  # type: ignore[attr-defined]
    registry = Registry()
    registry.register(module, name="by_hand", distribution="(here)", version="0")
    assert registry.find("sampler", "by-hand").factory is object


def test_importing_the_hooks_and_the_command_loads_no_torch() -> None:
    code = "import sys, ebmkit.cli, ebmkit_langevin.hooks; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
