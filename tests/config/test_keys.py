from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from ebmkit.config.keys import keys_of
from ebmkit.registry.discovery import Registry
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def test_a_key_of_another_table_is_told_with_that_table(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    file.write_text("seed = 3\n" + file.read_text().replace("outputs = 3", "outputs = 3\nlr = 1e-3"))
    err = ebmkit("check", file).err
    assert "a key of [run]: move it there" in err
    assert "a key of [energy.optimizer] or [generator.optimizer]: move it there" in err


def test_each_key_of_a_file_that_may_be_set_has_its_type_or_its_kind_of_part(run_file: RunFile) -> None:
    keys = keys_of(tomllib.loads(run_file("coopnets").read_text()), Registry.discover())
    assert list(keys) == sorted(keys)
    assert keys["revision.use"] == "sampler"
    assert keys["energy.optimizer.use"] == "optimizer"
    assert keys["revision.step_size"] is float  # without its range
    assert keys["energy.averaging.decay"] is float
    assert keys["revision.graph"] is bool
    assert get_args(keys["run.device"]) == get_args(Literal["auto", "cpu", "cuda"])
    assert not [key for key in keys if key.startswith(("inference.", "revision.optimizer."))]


def test_what_is_wrong_in_a_file_is_left_out_and_the_rest_is_there(run_file: RunFile) -> None:
    data = tomllib.loads(run_file("coopnets").read_text())
    whole = keys_of(data, Registry.discover())
    data["revision"] = {"use": "no-such-sampler", "steps": "many"}
    data["energy"] = 3
    found = keys_of(data, Registry.discover())
    assert {key: found[key] for key in whole if key.startswith(("generator.", "data.", "run."))} == {
        key: whole[key] for key in whole if key.startswith(("generator.", "data.", "run."))
    }
    assert "revision.steps" in found  # of every sampler
    assert "revision.step_size" not in found
    assert "energy.channels" not in found
