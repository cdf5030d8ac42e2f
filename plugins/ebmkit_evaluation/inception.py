"""The features ``inception``: those of torch-fidelity, with weights in a file that the user names."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Annotated, Any, final

import torch
from torch import Tensor, nn

from ebmkit.core import Exists, Features, MinLen
from ebmkit.errors import DataError
from ebmkit_evaluation.definition import eight_bits, in_colour
from ebmkit_evaluation.weights import named_weights

if TYPE_CHECKING:
    from ebmkit.testing import FeaturesClaims

__all__ = ["Inception", "random_weights"]

_PACKAGE = "torch_fidelity"
_FEATURES = "2048"
_DIGITS = 8
"""Of a file's SHA-256, in the name of features whose weights are not the published ones."""

_importing = RLock()


@final
class Inception(Features):
    """2,048 features of the InceptionV3 by which FID was defined, as torch-fidelity computes them.

    Images are clamped to [-1, 1] and rounded to 8 bits, grey is replicated; torch-fidelity resizes them to
    299 pixels as TensorFlow 1 did (bilinear, without antialiasing) and takes the last map's mean. Nothing is
    downloaded: the file of weights is one you have. With any other file than the published one the features
    are called ``inception-`` and the first digits of its SHA-256, and a note says so: such figures are no
    published ones. It takes some forty times as long as ``lite0`` at 112 pixels.

    Args:
        weights: path of ``weights-inception-2015-12-05-6726825d.pth``, which torch-fidelity publishes with
            its release 0.2.0.

    Raises:
        DataError: torch-fidelity is not installed, or the file cannot be read or holds other weights.

    Source: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, 2015, arXiv 1512.00567; Heusel, Ramsauer, Unterthiner,
    Nessler, Hochreiter, 2017, arXiv 1706.08500; torch-fidelity 0.4.0.
    """

    def __init__(self, *, weights: Annotated[str, MinLen(1), Exists()]) -> None:
        super().__init__()
        module = _module()
        tensors, self.sha256 = named_weights(Path(weights))
        try:
            self.net = _built(module.FeatureExtractorInceptionV3, tensors)
        except RuntimeError:  # names or shapes that the module does not have
            raise DataError(
                f"{weights} holds other weights than torch-fidelity's InceptionV3: "
                f"the file is called {_file_of(module)}"
            ) from None
        self.name, digits = "inception", self.sha256[:_DIGITS]
        if not self.sha256.startswith(_published(module)):
            self.name = f"inception-{digits}"
            self.caution = (
                f"the weights {weights} are not those that torch-fidelity publishes as {_file_of(module)}: "
                f"their SHA-256 begins with {digits}; figures made with them compare with no published ones"
            )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1 or 3, H, W)`` in [-1, 1] to ``(B, 2048)``; NaN for an image that has a NaN."""
        levels = in_colour(eight_bits(x)).add(1).mul(127.5).round()
        described: Tensor = self.net(levels.nan_to_num().to(torch.uint8))[0]
        return described.masked_fill(levels.flatten(1).isnan().any(1, keepdim=True), torch.nan)

    def fingerprint(self) -> str:
        """SHA-256 over the name and that of the file of weights."""
        return hashlib.sha256(f"{self.name} {self.sha256}".encode()).hexdigest()

    @staticmethod
    def conformance() -> FeaturesClaims:
        """What ``ebmkit plugins check features/inception`` reads without a path: random weights."""
        from ebmkit.testing import FeaturesClaims

        def written(folder: Path) -> dict[str, Any]:
            torch.save(random_weights(16), folder / "weights.pth")
            return {"weights": str(folder / "weights.pth")}

        return FeaturesClaims(shapes=((1, 32, 32), (3, 24, 40)), files=written)


def random_weights(seed: int) -> dict[str, Tensor]:
    """Weights as they are before any training, under the names and in the shapes of the published ones.

    Args:
        seed: of the kernels, each of which has the variance 2 / n of its n inputs.

    Raises:
        DataError: torch-fidelity is not installed.
    """
    # The module reads weights as it is made, and there are none.
    empty = type("Empty", (_module().FeatureExtractorInceptionV3,), {"load_state_dict": lambda *_: None})
    weights: dict[str, Tensor] = _built(empty, {}).state_dict()
    generator = torch.Generator().manual_seed(seed)
    for tensor in weights.values():
        if tensor.ndim > 1:
            tensor.normal_(std=(2 / tensor[0].numel()) ** 0.5, generator=generator)
    return weights


def _built(extractor: Any, weights: dict[str, Tensor]) -> nn.Module:
    """The module with these weights.

    It would unpickle whatever file it is given: it gets one that was made here, of tensors alone.
    """
    written = io.BytesIO()
    torch.save(weights, written)
    written.seek(0)
    built: nn.Module = extractor("inception", [_FEATURES], feature_extractor_weights_path=written)
    return built.eval()


def _module() -> Any:
    """The module of torch-fidelity that defines the network.

    It is imported without the rest of the package, which imports torchvision: the network needs none, and
    one that was built for another torch, as beside a torch for processors alone, cannot be imported.

    Raises:
        DataError: torch-fidelity is not installed, or cannot be imported.
    """
    if importlib.util.find_spec(_PACKAGE) is None:
        raise DataError(
            "the features inception come with the package torch-fidelity, which is not installed: "
            "pip install 'ebmkit-torch[inception]'"
        )
    try:
        with _importing, _without_its_start():
            return importlib.import_module(f"{_PACKAGE}.feature_extractor_inceptionv3")
    except ImportError as error:
        raise DataError(
            f"torch-fidelity is installed and cannot be imported ({error}): "
            "pip install 'ebmkit-torch[inception]' installs the version that was tested"
        ) from error


@contextmanager
def _without_its_start() -> Iterator[None]:
    """Modules of the package can be imported inside the block though its ``__init__`` was not run."""
    if _PACKAGE in sys.modules:
        yield
        return
    spec = importlib.util.find_spec(_PACKAGE)
    assert spec is not None  # noqa: S101 - it was asked before
    sys.modules[_PACKAGE] = importlib.util.module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[_PACKAGE]


def _file_of(module: Any) -> str:
    """The name of the published file, which torch-fidelity would download: its address is never asked."""
    return str(module.URL_INCEPTION_V3).rpartition("/")[2]


def _published(module: Any) -> str:
    """The first digits of its SHA-256, which stand in its name."""
    found = re.search(r"-([0-9a-f]+)\.", _file_of(module))
    return found[1] if found else ""
