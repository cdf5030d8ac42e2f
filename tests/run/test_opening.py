"""Runs of which a program built parts: what their run file opens by itself, and what not."""

from __future__ import annotations

import pytest

from ebmkit.errors import ConfigError, DataError
from ebmkit.registry.discovery import Registry, UnknownComponentError
from ebmkit.run.opening import PROGRAM, refuse_parts_of_a_program, stand_in_for_data
from tests.conftest import Ebmkit
from tests.run.test_program import _in_a_folder_of_its_own, new  # noqa: F401 - a fixture

OWN = {"use": f"{PROGRAM}mine.Bowl"}
PLUGINS = {"use": "langevin"}


def test_the_command_says_that_the_program_must_hand_its_data_in(ebmkit: Ebmkit) -> None:
    list(new().train(1))
    code, _, err = ebmkit("resume", "it")
    assert code == 2
    assert "[data] ebmkit.core.tensors.TensorSource" in err
    assert "ebmkit.Run.resume('it', schedule, data=…)" in err


def test_a_run_of_plugins_parts_is_opened_by_its_file() -> None:
    refuse_parts_of_a_program({"run": {"seed": 0}, "energy": {"use": "programs"}, "revision": PLUGINS}, "it")


def test_every_part_that_a_program_built_is_named_with_its_class() -> None:
    tables = {"run": {"seed": 0}, "energy": OWN, "revision": PLUGINS, "schedule": {"use": f"{PROGRAM}a.B"}}
    with pytest.raises(ConfigError) as refused:
        refuse_parts_of_a_program(tables, "it's mine")
    first, second = str(refused.value).splitlines()
    assert first.endswith(": [energy] mine.Bowl, [schedule] a.B")
    assert second.startswith('In Python: ebmkit.Run.resume("it\'s mine", schedule, data=…)')


def test_data_that_a_program_handed_in_are_named_and_cannot_be_built() -> None:
    registry = Registry.discover()
    stand_in_for_data(registry, {"data": {"use": f"{PROGRAM}mine.Numbers"}})
    component = registry.find("source", "mine.Numbers")
    assert component.distribution == "program"
    with pytest.raises(DataError, match="only a program can do it again"):
        component.factory()


def test_no_other_data_get_a_stand_in() -> None:
    registry = Registry.discover()
    for tables in ({"data": {"use": "folder"}}, {"data": 3}, {}):
        stand_in_for_data(registry, tables)
    with pytest.raises(UnknownComponentError):
        registry.find("source", "mine.Numbers")
