"""Parts of one's own in a file beside the run file, and run folders of strangers that bring code along."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit.registry.trust import known_file
from tests.conftest import Ebmkit

CODE = """
from typing import Annotated
from pathlib import Path
from ebmkit.core import Energy, Gt
import torch

Path("executed").touch()


class Bowl(Energy):
    '''A bowl.

    Args:
        width: of the bowl.
    '''

    def __init__(self, *, width: Annotated[float, Gt(0)] = 1.0) -> None:
        super().__init__()
        self.width = torch.nn.Parameter(torch.tensor(width))

    def forward(self, x):
        return (x / self.width).flatten(1).square().sum(1)
"""
TABLE = '[energy]\nuse = "my_parts.py:Bowl"\nwidth = 2.0\noptimizer = { use = "adam", lr = 1e-3 }\n\n'
COMMANDS = (
    ("sample", "it"),
    ("resume", "it", "--set", "run.iterations=3"),
    ("diagnose", "it"),
    ("complete", "it", "--image", "images/00.png"),
    ("recover", "it", "--mask-size", "6"),
)


def forget() -> None:
    """Let own code be executed again, as in a process of its own."""
    for name in [each for each in sys.modules if each.startswith(("ebmkit_own_", "evil_package"))]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
    forget()


@pytest.fixture
def file(run_file: Callable[[str], Path]) -> Path:
    """A run file with an energy of one's own, in a folder ``mine``."""
    path = run_file("descriptor-only")
    mine = path.parent / "mine"
    mine.mkdir()
    (mine / "my_parts.py").write_text(CODE)
    (mine / "it.toml").write_text(re.sub(r"\[energy\][\s\S]*?(?=\[revision\])", TABLE, path.read_text()))
    return mine / "it.toml"


def digest(file: Path) -> str:
    return hashlib.sha256((file.parent / "my_parts.py").read_bytes()).hexdigest()


def train(ebmkit: Ebmkit, file: Path) -> None:
    code, _, err = ebmkit("run", file, "--set", "run.iterations=2")
    assert code == 0, err


def test_it_is_checked_shown_trained_resumed_and_sampled(ebmkit: Ebmkit, file: Path) -> None:
    code, out, err = ebmkit("check", file)
    assert code == 0, err
    plain = " ".join(out.split())
    assert f"code {file.parent}/my_parts.py SHA-256 {digest(file)}" in plain
    train(ebmkit, file)
    config = tomllib.loads(Path("runs/it/config.toml").read_text())
    assert config["energy"]["use"] == f"{file.parent}/my_parts.py:Bowl#{digest(file)}"
    for command in COMMANDS[:2]:
        code, _, err = ebmkit(*command)
        assert code == 0, err
    code, out, _ = ebmkit("plugins", "show", f"energy/{file.parent}/my_parts.py:Bowl")
    assert code == 0
    assert "width" in out


def test_a_misspelt_key_and_a_wrong_value_are_placed(ebmkit: Ebmkit, file: Path) -> None:
    file.write_text(file.read_text().replace("width = 2.0", "widht = 2.0"))
    code, _, err = ebmkit("check", file, "--set", "energy.width=-1.0")
    assert code == 2
    assert "did you mean 'width'?" in err
    assert "must be > 0" in err


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("no.py:Bowl", "cannot read '"),
        ("my_parts.py:Bowle", "nothing is called Bowle in "),
        ("my_parts.py:Path", "Path is not derived from ebmkit.core.Energy"),
    ],
)
def test_what_is_not_there_is_refused(use: str, message: str, ebmkit: Ebmkit, file: Path) -> None:
    code, _, err = ebmkit("check", file, "--set", f"energy.use={use}")
    assert code in (2, 4)
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_run_folder_of_a_stranger_runs_no_code(
    command: tuple[str, ...], ebmkit: Ebmkit, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(ebmkit, file)
    known = known_file()
    assert known is not None
    known.unlink()  # another user's machine
    # The folder brings its code along, beside its run file.
    config = Path("runs/it/config.toml")
    shutil.copy(file.parent / "my_parts.py", "runs/it/my_parts.py")
    config.write_text(re.sub(r'use = ".*/my_parts\.py', 'use = "my_parts.py', config.read_text()))
    Path("executed").unlink()
    forget()
    code, _, err = ebmkit(*command)
    assert code == 2
    assert "error[E114]" in err
    assert "which you never ran" in err
    assert not Path("executed").exists()


def test_a_module_that_a_strangers_run_file_names_is_not_imported(
    ebmkit: Ebmkit, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "evil_package").mkdir()
    (tmp_path / "evil_package/__init__.py").write_text("")
    (tmp_path / "evil_package/parts.py").write_text(CODE)
    module = ("--set", "energy.use=evil_package.parts:Bowl", "--set", "run.iterations=1")
    code, _, err = ebmkit("run", file, *module)
    assert code == 0, err
    known = known_file()
    assert known is not None
    known.unlink()
    code, _, err = ebmkit("sample", "it")
    assert (code, "which you never ran" in err) == (2, True)
    # The package around it counts too: known again, and then changed.
    assert ebmkit("--trust-code", "resume", "it", "--set", "run.iterations=2").code == 0
    assert ebmkit("sample", "it").code == 0
    (tmp_path / "evil_package/__init__.py").write_text("print('evil')")
    code, _, err = ebmkit("sample", "it")
    assert (code, "is not what this run was trained with" in err) == (2, True)


def test_trust_code_loads_it(ebmkit: Ebmkit, file: Path) -> None:
    train(ebmkit, file)
    known = known_file()
    assert known is not None
    known.unlink()
    assert ebmkit("--trust-code", "sample", "it").code == 0
    assert ebmkit("sample", "it").code == 2  # said for one command


def test_code_that_changed_is_refused_and_allowed(ebmkit: Ebmkit, file: Path) -> None:
    train(ebmkit, file)
    (file.parent / "my_parts.py").write_text(CODE + "\n# another version\n")
    code, _, err = ebmkit("sample", "it")
    assert code == 2
    assert "error[E114]" in err
    assert "is not what this run was trained with" in err
    more = ("resume", "it", "--set", "run.iterations=3")
    assert ebmkit(*more).code == 2
    code, out, err = ebmkit(*more, "--allow-change", "energy.use")
    assert code == 0, err
    assert "changed: energy.use" in out + err
    assert ebmkit("sample", "it").code == 0
