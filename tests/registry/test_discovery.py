from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from ebmkit.errors import PluginError
from ebmkit.plugin import API_VERSION, hookimpl
from ebmkit.registry.discovery import Registry, UnknownComponentError
from ebmkit.registry.kinds import KINDS
from ebmkit.run.signals import catch_signals
from ebmkit_langevin.langevin import Langevin
from tests.conftest import Install

SAMPLER = """
    from ebmkit.core import Position, Sampler
    from ebmkit.plugin import hookimpl

    class Walk(Sampler):
        '''A walk.'''

        def step(self, energy, state, rng):
            return Position(state.x + rng.normal(state.x)), {}

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
        "dual",
        "generator-only",
        "multigrid",
        "replay",
        "score-matching",
        "sampling",
    }
    for kind in KINDS:
        assert {each.distribution for each in registry.components(kind)} <= {"ebmkit-torch"}


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
        "from ebmkit.plugin import hookimpl\n@hookimpl\ndef ebmkit_samplers():\n    return {'x': 7}",
        "from ebmkit.plugin import hookimpl\n@hookimpl\ndef ebmkit_samplers():\n    return {8: object}",
        "from ebmkit.core import Sampler\nfrom ebmkit.plugin import hookimpl\n@hookimpl\n"
        "def ebmkit_samplers():\n    return {'x': Sampler}",
        "class Odd(BaseException): pass\nraise Odd('not even an Exception')",
        "EBMKIT_API = (2, 0)",
        "EBMKIT_API = (1, 99)",
        "EBMKIT_API = '1'",
    ],
    ids=[
        *("missing", "raises", "exits", "syntax", "misspelt", "argument", "hook-raises", "no-mapping"),
        *("no-class", "no-name", "abstract", "base-exception", "api-major", "api-minor", "api-text"),
    ],
)
def test_a_broken_plugin_harms_nobody_else(
    install: Install, source: str, request: pytest.FixtureRequest
) -> None:
    module = "broken_" + request.node.callspec.id.replace("-", "_")
    install(f"broken-{module}", module, source)
    registry = Registry.discover()
    assert registry.find("sampler", "langevin").distribution == "ebmkit-torch"
    assert {each.name for kind in KINDS for each in registry.components(kind)} >= {"descriptor", "faces"}
    (broken,) = registry.broken
    assert broken.distribution == f"broken-{module}"
    assert broken.reason


@pytest.mark.parametrize(
    ("hook", "hint"),
    [
        ("ebmkit_sampler", "did you mean 'ebmkit_samplers'?"),
        ("ebmkit_scheduler", "did you mean 'ebmkit_schedulers'?"),
        ("surprise", "there are: ebmkit_energies, ebmkit_generators, "),
    ],
)
def test_of_a_hook_that_there_is_not_the_nearest_is_named(install: Install, hook: str, hint: str) -> None:
    source = f"from ebmkit.plugin import hookimpl\n@hookimpl\ndef {hook}():\n    return {{}}"
    install(f"has-{hook}", f"has_{hook}", source)
    (broken,) = Registry.discover().broken
    assert broken.reason.startswith(f"unknown hook {hook!r}; {hint}")


def test_a_signal_while_a_plugin_is_loaded_is_not_its_fault(install: Install) -> None:
    source = "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)"
    install("slow-to-load", "slow_to_load", source)
    with catch_signals(), pytest.raises(SystemExit, match="75"):
        Registry.discover()


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
        return {"by-hand": Langevin}

    module.ebmkit_samplers = ebmkit_samplers  # type: ignore[attr-defined]
    registry = Registry()
    registry.register(module, name="by_hand", distribution="(here)", version="0")
    assert registry.find("sampler", "by-hand").factory is Langevin


def test_importing_the_hooks_and_the_command_loads_no_torch() -> None:
    code = "import sys, ebmkit.cli, ebmkit_langevin.hooks; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ctrl_c_while_a_plugin_is_imported_is_the_users_own(install: Install) -> None:
    install("slow-one", "slow_one", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        Registry.discover()


def test_an_api_that_this_host_has_is_taken(install: Install) -> None:
    major, minor = API_VERSION
    install("fitting", "fitting", f"EBMKIT_API = ({major}, {minor})" + textwrap.dedent(SAMPLER))
    registry = Registry.discover()
    assert registry.broken == []
    assert registry.find("sampler", "NAME").distribution == "fitting"


def test_a_newer_api_says_what_to_update(install: Install) -> None:
    install("newer", "newer", "EBMKIT_API = (99, 1)")
    assert (
        "needs the plugin API 99.1, this ebmkit has 1.0: update ebmkit"
        in Registry.discover().broken[0].reason
    )


LAZY = """
    from ebmkit.plugin import hookimpl

    @hookimpl
    def ebmkit_samplers():
        return {"late": "late_parts:REFERENCE"}
"""


LATE = "from ebmkit.core import Sampler\nclass Late(Sampler):\n    "


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import not_there_at_all\nclass Late: pass", "ModuleNotFoundError"),
        ("Late = 3", "3 is not a class"),
        ("Other = 3", "AttributeError"),
        ("class Late(Sampler", "SyntaxError"),
        (f"import sys\n{LATE}sys.exit(0)\nclass Late(object, metaclass=type): pass", "SystemExit"),
    ],
)
def test_a_class_that_is_not_there_is_listed_with_the_reason(
    install: Install, source: str, reason: str, late: Callable[[str], Registry]
) -> None:
    registry = late(source)
    assert "late" not in {each.name for each in registry.components("sampler")}
    (broken,) = registry.broken
    assert (broken.name, broken.distribution) == ("late_plugin", "late-parts")
    assert reason in broken.reason


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("class Late: pass", "is not derived from ebmkit.core.Sampler"),
        (f"{LATE}pass", "does not define step"),
        (f"{LATE}pass\nraise KeyError('at the end')", "KeyError: 'at the end'"),
    ],
)
def test_a_class_that_cannot_be_loaded_names_its_plugin(
    install: Install, source: str, reason: str, late: Callable[[str], Registry]
) -> None:
    component = late(source).find("sampler", "late")
    with pytest.raises(PluginError) as caught:
        _ = component.factory
    assert "sampler 'late' (plugin 'late_plugin' of late-parts 1.2) cannot be loaded" in str(caught.value)
    assert reason in str(caught.value)


@pytest.fixture
def late(install: Install, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], Registry]:
    """The registry with a plugin that names its class by a string, in a module with this source."""

    def make(source: str) -> Registry:
        module = f"late_parts_{abs(hash(request.node.name))}"
        install("late-parts", "late_plugin", LAZY.replace("late_parts:REFERENCE", f"{module}:Late"))
        (tmp_path / f"{module}.py").write_text(source)
        sys.modules.pop("late_plugin", None)
        return Registry.discover()

    return make


def test_a_noisy_plugin_leaves_json_readable(install: Install, tmp_path: Path) -> None:
    noisy = "import os\nprint('hello')\nos.system('echo from below')\n" + textwrap.dedent(SAMPLER)
    install("noisy", "noisy", noisy.replace("NAME", "walk"))
    done = subprocess.run(
        [sys.executable, "-m", "ebmkit", "plugins", "list", "--json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert "walk" in {part["name"] for part in answer["parts"]}
    assert "hello" in done.stderr
    assert "from below" in done.stderr
