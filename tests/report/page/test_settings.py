from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.registry.discovery import Registry
from ebmkit.report.page.settings import chosen, defaults_of, differing
from ebmkit.storage.folder import RunFolder

RunFile = Callable[[str], Path]


def test_what_is_not_the_default_was_chosen() -> None:
    config = {"run": {"seed": 0, "keep": 5}, "energy": {"use": "mlp", "optimizer": {"lr": 0.1}}}
    defaults = {"run.seed": 0, "run.keep": 2, "energy.optimizer.lr": 1e-3}
    assert chosen(config, defaults) == [
        ("run.keep", "5", "2"),
        ("energy.use", '"mlp"', ""),
        ("energy.optimizer.lr", "0.1", "0.001"),
    ]
    assert chosen({}, defaults) == []


def test_of_a_run_file_resolved_only_what_it_says_was_chosen(run_file: RunFile, tmp_path: Path) -> None:
    """The page of a run shows the file as a person wrote it, not the hundred keys it comes to."""
    file = run_file("coopnets-rigorous")
    folder = RunFolder(tmp_path / "runs/it")
    folder.path.mkdir(parents=True)
    document = read_document(file)
    folder.write_config(make_plan(document, Registry.discover()).tables())
    resolved = read_document(folder.config, saved=True).data
    found = {key: value for key, value, _ in chosen(resolved, defaults_of(folder))}
    written = leaves(document.data)
    assert {key for key in found if not key.endswith("optimizer.use")} <= written
    assert {"revision.step_size", "inference.steps", "energy.channels", "schedule.bank"} <= set(found)
    assert len(found) < len(leaves(resolved)) / 2


def leaves(tables: dict[str, object], above: str = "") -> set[str]:
    found: set[str] = set()
    for name, value in tables.items():
        found |= leaves(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}"}
    return found


def test_a_run_of_parts_that_are_not_installed_has_no_known_defaults(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.config.write_text('[energy]\nuse = "gone"\n[schedule]\nuse = "gone"\n')
    assert defaults_of(folder) == {}


def test_runs_differ_in_the_keys_that_not_all_give_the_same_value() -> None:
    one = {"run": {"seed": 0, "output": "a"}, "energy": {"channels": [4]}}
    two = {"run": {"seed": 0, "output": "b"}, "energy": {"channels": [4, 8], "norm": "batch"}}
    assert differing([one, two]) == [("energy.channels", ["[4]", "[4, 8]"]), ("energy.norm", ["", '"batch"'])]
    assert differing([one, one, one]) == differing([one]) == []
