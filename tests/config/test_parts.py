from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit.config import read_document
from ebmkit.config.parts import Plan, key_of
from ebmkit.config.plan import make_plan
from ebmkit.registry.discovery import Registry
from ebmkit.storage.folder import RunFolder
from tests.conftest import REVISION, RUN_FILES, SHARED

RunFile = Callable[[str], Path]

COMPOSED = (
    SHARED
    + """
[energy]
use = "sum"
averaging = { decay = 0.5, start = 3 }

[energy.parts.near]
use = "tempered"
temperature = 2.0

[energy.parts.near.part]
use = "descriptor"

[energy.parts.far]
use = "descriptor"
weight = 0.5
"""
    + REVISION
    + '[schedule]\nuse = "descriptor-only"\n'
)


def plan_of(file: Path) -> Plan:
    return make_plan(read_document(file), Registry.discover(), data=False)


@pytest.mark.parametrize("text", [*RUN_FILES.values(), COMPOSED], ids=[*RUN_FILES, "composed"])
def test_the_tables_of_a_plan_are_a_run_file_of_the_same_plan(text: str, tmp_path: Path) -> None:
    (tmp_path / "it.toml").write_text(text)
    tables = plan_of(tmp_path / "it.toml").tables()
    folder = RunFolder(tmp_path)
    folder.write_config(tables)
    assert plan_of(folder.config).tables() == tables


def test_a_plan_names_every_part_those_inside_others_too(tmp_path: Path) -> None:
    (tmp_path / "it.toml").write_text(COMPOSED)
    plan = plan_of(tmp_path / "it.toml")
    assert [component.name for component in plan.components()] == [
        *("folder", "sum", "tempered", "descriptor", "descriptor", "adam"),
        *("langevin", "descriptor-only"),
    ]
    assert [(".".join(key), part.use) for key, part in plan.parts["energy"].walk(("energy",))] == [
        ("energy", "sum"),
        ("energy.parts.near", "tempered"),
        ("energy.parts.near.part", "descriptor"),
        ("energy.parts.far", "descriptor"),
    ]


def test_an_eased_plan_has_smaller_steps_and_rates_and_is_otherwise_the_same(run_file: RunFile) -> None:
    plan = plan_of(run_file("coopnets-rigorous"))
    eased, before = plan.eased(0.5, 0.25).tables(), plan.tables()
    assert eased["revision"].pop("step_size") == 0.5 * before["revision"].pop("step_size")
    for part in ("energy", "generator"):
        rate, was = (each[part]["optimizer"].pop("lr") for each in (eased, before))
        assert rate == 0.25 * was
    assert eased == before  # the inference keeps its step
    assert plan.eased(1.0, 1.0).tables() == plan.tables()


def test_a_part_of_several_stands_in_a_table_of_its_own() -> None:
    assert [key_of(name) for name in ("energy", "grids.16", "trackers.a.b")] == [
        ("energy",),
        ("grids", "16"),
        ("trackers", "a.b"),
    ]
