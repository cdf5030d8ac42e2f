"""The plugin API: its hooks, and packages that offer classes without importing them."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

import pluggy
import pytest

from ebmkit import plugin
from ebmkit.plugin import ENTRY_POINT_GROUP, hookimpl, lazily
from ebmkit.registry.discovery import Registry
from tests.conftest import Install

ROOT = Path(__file__).parents[1]
HOOKS = [name for name in plugin.__all__ if name.startswith("ebmkit_")]


def test_every_hook_is_specified_takes_nothing_and_gives_classes_or_where_they_are() -> None:
    manager = pluggy.PluginManager("ebmkit")
    manager.add_hookspecs(plugin)
    assert sorted(HOOKS) == sorted(name for name in vars(manager.hook) if name in vars(plugin))
    for name in HOOKS:
        signature = inspect.signature(getattr(plugin, name))
        assert not signature.parameters
        assert re.fullmatch(r"Mapping\[str, type\[\w+\] \| str\]", signature.return_annotation)


def test_the_module_that_the_page_begins_with_is_a_plugin(install: Install) -> None:
    """The lines of ``ebmkit_mala.py``, with a class of the name that they offer."""
    (lines,) = re.findall(r"# ebmkit_mala\.py\n(.*?)\n\n(?=\S)", plugin.__doc__ or "", re.DOTALL)
    install("mala-of-the-page", "mala_of_the_page", f"from ebmkit_mcmc import MALA\n{_flush(lines)}")
    found = Registry.discover().find("sampler", "mala-of-the-page:mala")
    assert found.factory.__name__ == "MALA"


def _flush(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.splitlines())


def test_a_hook_of_this_project_alone_is_marked() -> None:
    @hookimpl
    def ebmkit_samplers() -> dict[str, str]:
        return {"named": "ebmkit_mcmc.mala:MALA"}

    module = ModuleType("marked")
    vars(module)["ebmkit_samplers"] = ebmkit_samplers
    registry = Registry()
    registry.register(module, name="marked", distribution="(here)", version="0")
    assert [each.name for each in registry.components("sampler")] == ["named"]


def test_a_lazy_package_imports_a_module_when_its_class_is_asked_for_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "asked_for_later.py").write_text("class Late: ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    look_up = lazily("mine", {"Late": "asked_for_later", "Gone": "not_there_at_all"})
    assert "asked_for_later" not in sys.modules
    found = look_up("Late")
    assert found is look_up("Late") is sys.modules["asked_for_later"].Late
    with pytest.raises(AttributeError, match=r"^module 'mine' has no attribute 'Ltae'$"):
        look_up("Ltae")
    with pytest.raises(ModuleNotFoundError, match="not_there_at_all"):
        look_up("Gone")


@pytest.mark.parametrize(
    "package", sorted(path.parent.name for path in (ROOT / "plugins").glob("*/hooks.py"))
)
def test_every_name_that_a_package_of_ours_offers_is_there(package: str) -> None:
    module = __import__(package)
    for name in getattr(module, "__all__", ()):
        assert getattr(module, name).__name__ == name


def test_the_group_of_entry_points_is_that_of_our_own_parts() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert f"[project.entry-points.{ENTRY_POINT_GROUP}]" in text
