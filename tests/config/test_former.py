"""Keys of earlier releases: read in run folders, refused in a file of one's own."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from ebmkit.config import ConfigProblemsError, read_document
from ebmkit.config.former import present_names
from ebmkit.storage.checkpoint import read_checkpoint, write_checkpoint
from ebmkit.storage.facts import Facts
from tests.conftest import RUN_FILES, Ebmkit

TABLES = {"grids": {"16": {"use": "mlp", "optimizer": {"use": "adam", "gradient_cap": 2.0}}}}


def test_only_keys_of_the_tables_that_had_them_get_other_names() -> None:
    others = {"energy": {"use": "mine", "gradient_cap": 1}, "optimizer": {"gradient_cap": 3}}
    found = present_names({**TABLES, **others})
    assert found["grids"]["16"]["optimizer"] == {"use": "adam", "gradient_clip": 2.0}
    assert {name: found[name] for name in others} == others
    assert "gradient_cap" in TABLES["grids"]["16"]["optimizer"]  # what was given is left as it was


def test_what_a_checkpoint_says_of_its_run_file_has_present_names() -> None:
    facts = Facts.from_json({"config": TABLES})
    assert facts.config["grids"]["16"]["optimizer"] == {"use": "adam", "gradient_clip": 2.0}


def test_a_saved_file_keeps_its_places_and_the_command_line_has_present_names(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[energy]\nuse = "mlp"\n[energy.optimizer]\ngradient_cap = 2.0\n')
    sets = ["energy.optimizer.gradient_clip=3.0"]
    saved, own = read_document(file, saved=True), read_document(file)
    assert saved.place(("energy", "optimizer", "gradient_clip")) == f"{file}:4"
    assert read_document(file, sets, saved=True).data["energy"]["optimizer"] == {"gradient_clip": 3.0}
    assert own.data["energy"]["optimizer"] == {"gradient_cap": 2.0}


def test_a_former_key_in_a_file_of_ones_own_is_an_error_that_names_the_present_one(
    tmp_path: Path, images: Path, ebmkit: Ebmkit
) -> None:
    text = RUN_FILES["descriptor-only"].replace("{images}", str(images))
    (tmp_path / "it.toml").write_text(text.replace("lr = 1e-3", "lr = 1e-3, gradient_cap = 2"))
    outcome = ebmkit("check", "it.toml")
    assert outcome.code == 2
    assert "error[E103]: unknown key 'gradient_cap' for optimizer 'adam'" in outcome.err
    assert "it is called 'gradient_clip' now" in outcome.err
    assert "1 error" in outcome.err


def test_a_run_folder_of_former_keys_samples_resumes_and_reports(
    tmp_path: Path, images: Path, ebmkit: Ebmkit
) -> None:
    """The run file and the checkpoints of a run, put back as an earlier release wrote them."""
    text = RUN_FILES["descriptor-only"].replace("{images}", str(images))
    (tmp_path / "it.toml").write_text(text.replace("lr = 1e-3", "lr = 1e-3, gradient_clip = 2"))
    assert ebmkit("run", "it.toml", "--set", "run.iterations=2").code == 0
    config, checkpoints = tmp_path / "runs/it/config.toml", tmp_path / "runs/it/checkpoints"
    as_written(config, checkpoints)
    for command in (
        ("sample", "it", "--count", "2"),
        ("resume", "it", "--set", "run.iterations=3"),
        ("report", "it"),
        ("status", "it"),
        ("export", "it", "out"),
    ):
        outcome = ebmkit(*command)
        assert outcome.code == 0, outcome.err
        assert "gradient_cap" not in outcome.err + outcome.out
    refused = ebmkit("resume", "it", "--set", "energy.optimizer.gradient_clip=3", "--set", "run.iterations=4")
    assert refused.code == 2
    assert "energy.optimizer.gradient_clip  2.0   3.0" in refused.err


def as_written(config: Path, checkpoints: Path) -> None:
    """Give the key its former name in a run file and in the newest checkpoint."""
    config.write_text(config.read_text().replace("gradient_clip", "gradient_cap"))
    (newest,) = sorted(checkpoints.glob("iteration-*"))[-1:]
    checkpoint = read_checkpoint(newest)
    tables = {**checkpoint.facts.config}
    optimizer = dict(tables["energy"]["optimizer"])
    optimizer["gradient_cap"] = optimizer.pop("gradient_clip")
    tables["energy"] = {**tables["energy"], "optimizer": optimizer}
    facts = attrs.evolve(checkpoint.facts, config=tables)
    write_checkpoint(checkpoints, attrs.evolve(checkpoint, facts=facts), keep=1)
    assert '"gradient_cap"' in (newest / "manifest.json").read_text()


def test_a_document_that_is_broken_is_refused_saved_or_not(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[energy")
    with pytest.raises(ConfigProblemsError, match="not TOML"):
        read_document(tmp_path / "config.toml", saved=True)
