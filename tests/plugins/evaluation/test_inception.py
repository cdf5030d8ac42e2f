"""The features ``inception`` against torch-fidelity's own, with random weights: the others are a download."""

from __future__ import annotations

import importlib
import pickle
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
import torch

from ebmkit.core import describe
from ebmkit.errors import DataError
from ebmkit_evaluation import inception
from ebmkit_evaluation.inception import Inception, random_weights
from tests.conftest import Ebmkit
from tests.plugins.evaluation.images import smooth

try:
    metadata.distribution("torch-fidelity")
except metadata.PackageNotFoundError:
    pytest.skip("needs the extra [inception]", allow_module_level=True)

RunFile = Callable[[str], Path]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(random_weights(1), path)
    return path


@pytest.fixture(scope="module")
def features(weights: Path) -> Inception:
    return Inception(weights=str(weights))


def test_they_are_torch_fidelitys_to_the_bit(weights: Path, features: Inception) -> None:
    """Its own class with its own reader of the file, fed the bytes that an image file would hold."""
    extractor = inception._module().FeatureExtractorInceptionV3
    original = extractor("its-own", ["2048"], feature_extractor_weights_path=str(weights))
    levels = torch.randint(0, 256, (3, 3, 40, 24), generator=torch.Generator().manual_seed(2)).byte()
    with torch.no_grad():
        (theirs,) = original(levels)
    ours = describe(features, levels.float() / 127.5 - 1)
    assert ours.shape == (3, 2048)
    assert float(ours.std()) > 0.01  # random, and yet something
    assert torch.equal(ours, theirs)


def test_grey_images_are_replicated_and_those_with_a_nan_are_not_described(features: Inception) -> None:
    grey = smooth(2, 1)
    assert torch.equal(describe(features, grey), describe(features, grey.expand(-1, 3, -1, -1)))
    grey[1, 0, 3, 3] = torch.nan
    with pytest.raises(DataError, match=r"1 of 2 examples have inception-[0-9a-f]{8} features that are not"):
        describe(features, grey)


def test_other_weights_than_the_published_ones_are_told_and_in_name_and_fingerprint(
    features: Inception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert features.name == f"inception-{features.sha256[:8]}"
    assert f"their SHA-256 begins with {features.sha256[:8]}" in (features.caution or "")
    assert "weights-inception-2015-12-05-6726825d.pth" in (features.caution or "")
    torch.save(random_weights(2), tmp_path / "others.pth")
    others = Inception(weights=str(tmp_path / "others.pth"))
    assert others.fingerprint() != features.fingerprint()
    published = f"https://host/weights-{others.sha256[:8]}.pth"
    monkeypatch.setattr(inception._module(), "URL_INCEPTION_V3", published)
    same = Inception(weights=str(tmp_path / "others.pth"))
    assert (same.name, same.caution) == ("inception", None)


class Runs:
    """Unpickled, it leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.trace,)


def test_nothing_in_the_file_is_run(tmp_path: Path) -> None:
    trace, path = tmp_path / "it-ran", tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps({"a": Runs(trace)}))
    with pytest.raises(DataError, match="holds no weights"):
        Inception(weights=str(path))
    torch.save({**random_weights(1), "a": Runs(trace)}, path)
    with pytest.raises(DataError, match="holds no weights"):
        Inception(weights=str(path))
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists()  # the file was one that runs


def test_the_wrong_file_is_one_message(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    told = {
        "cannot read the weights .*: No such file": None,
        "holds no weights: it should be a file of tensors": [1, 2],
        r"holds other weights than torch-fidelity's InceptionV3: the file is called weights-.*\.pth": {
            "fc.bias": torch.zeros(3)
        },
    }
    for message, content in told.items():
        if content is not None:
            torch.save(content, path)
        with pytest.raises(DataError, match=message):
            Inception(weights=str(path))


def test_without_the_package_the_message_says_how_to_install_it(
    weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = [each for each in sys.path if not (Path(each) / "torch_fidelity").exists()]
    monkeypatch.setattr(sys, "path", [str(tmp_path), *kept])
    with pytest.raises(DataError, match=r"not installed: pip install 'ebmkit-torch\[inception\]'$"):
        Inception(weights=str(weights))


def test_the_rest_of_the_package_is_neither_run_nor_hidden(weights: Path) -> None:
    Inception(weights=str(weights))
    assert "torch_fidelity" not in sys.modules
    assert importlib.util.find_spec("torch_fidelity") is not None


def test_a_run_is_judged_with_a_named_file_and_the_note_is_shown(
    run_file: RunFile, ebmkit: Ebmkit, weights: Path
) -> None:
    asked = ["--set", "evaluation.features=inception", "--set", 'evaluation.metrics=["kid"]']
    asked += ["--set", "evaluation.count=8"]
    named = ("--set", f"evaluation.weights={weights}")
    every = ("--set", "evaluation.every=3", "--set", "run.output=runs/one")
    trained = ebmkit("run", run_file("coopnets"), *asked, *named, *every)
    judged = ebmkit("evaluate", "one", *asked, *named)
    for shown in (trained, judged):
        assert shown.code == 0
        assert " ".join(shown.out.split()).count("their SHA-256 begins with") == 1
    assert "inception-" in judged.out
    missing = ebmkit("evaluate", "one", *asked, "--set", "evaluation.weights=gone.pth")
    assert missing.code == 2
    assert "weights = 'gone.pth' does not exist" in missing.err
    assert "Traceback" not in missing.err
