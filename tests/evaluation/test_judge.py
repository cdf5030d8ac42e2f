from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ebmkit.core import Chain, CooperativeScheduler, Features, Figure, Material, Metric, Rng
from ebmkit.errors import DataError
from ebmkit.evaluation.judge import MOST_CROPS, Evaluation, Judge
from ebmkit.evaluation.sets import draw
from ebmkit.testing.parts import TinyEnergy, TinyGenerator
from ebmkit_coopnets.coopnets import CoopNets
from ebmkit_evaluation.kid import Kid
from ebmkit_evaluation.memorisation import Memorisation
from ebmkit_evaluation.pixels import Pixels
from ebmkit_evaluation.reconstruction import Reconstruction
from ebmkit_langevin.langevin import Langevin

SHAPE = (1, 8, 8)


class Counted(Features):
    """The pixels, and how many images were looked at."""

    name = "counted"
    looked_at = 0

    def forward(self, x: Tensor) -> Tensor:
        self.looked_at += len(x)
        return x.flatten(1)


@pytest.fixture
def schedule() -> CooperativeScheduler:
    torch.manual_seed(0)
    return CoopNets(TinyEnergy(SHAPE), TinyGenerator(SHAPE), Chain(Langevin(step_size=0.05), 3)).eval()


def data(count: int, seed: int = 0) -> Tensor:
    return Rng(seed).uniform(torch.empty(count, *SHAPE)) * 2 - 1


def judge(**changes: object) -> Judge:
    return Judge(**{"metrics": {"kid": Kid()}, "features": Pixels(), "training": data(40)} | changes)  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_figures_and_another_others(schedule: CooperativeScheduler) -> None:
    one, same, other = (
        judge().judge(schedule, iteration=1, count=20, seed=seed).figures[0].value for seed in (0, 0, 1)
    )
    assert one == same != other


def test_what_is_judged_are_the_samples_of_the_sample_command(schedule: CooperativeScheduler) -> None:
    drawn = draw(schedule, 70, seed=4, images=False)
    first = schedule.sample(64, rng=Rng(4).fold_in("sample")).revised
    second = schedule.sample(6, rng=Rng(4, first_chain=64).fold_in("sample")).revised
    assert first is not None
    assert second is not None
    assert torch.equal(drawn.rows, torch.cat([first, second]).detach())


def test_judging_changes_no_weight_and_moves_no_generator(schedule: CooperativeScheduler) -> None:
    before = {name: value.clone() for name, value in schedule.state_dict().items()}
    generator = torch.get_rng_state()
    judge().judge(schedule, iteration=1, count=20)
    assert all(torch.equal(value, before[name]) for name, value in schedule.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)


def test_real_examples_are_described_once_and_never_again_where_they_are_stored(
    schedule: CooperativeScheduler, tmp_path: Path
) -> None:
    features = Counted()
    same = judge(features=features, fingerprint="abc", cache=tmp_path)
    for iteration in (1, 2):
        same.judge(schedule, iteration=iteration, count=10)
    assert features.looked_at == 40 + 2 * 10
    again = Counted()
    judge(features=again, fingerprint="abc", cache=tmp_path).judge(schedule, iteration=1, count=10)
    assert again.looked_at == 10
    for stored in tmp_path.iterdir():  # damaged: it is made again
        stored.write_bytes(b"nothing")
    judge(features=again, fingerprint="abc", cache=tmp_path).judge(schedule, iteration=1, count=10)
    assert again.looked_at == 10 + 40 + 10
    other = Counted()
    judge(features=other, fingerprint="other data", cache=tmp_path).judge(schedule, iteration=1, count=10)
    assert other.looked_at == 40 + 10


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(
    schedule: CooperativeScheduler, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    found = judge(fingerprint="abc", cache=tmp_path / "file").judge(schedule, iteration=1, count=10)
    assert found.figures == judge().judge(schedule, iteration=1, count=10).figures


def test_halves_of_one_law_are_near_and_the_floor_has_the_features_that_were_known() -> None:
    features = Counted()
    floor, ceiling = judge(features=features, training=data(400)).bounds(100)
    assert features.looked_at == 400 + 100  # the Gaussian's draws are new
    assert floor[0].error is not None
    assert abs(floor[0].value) < 5 * floor[0].error
    assert floor[0].count == 100
    assert ceiling[0].count == 100


def test_samples_are_compared_with_what_is_asked_for(schedule: CooperativeScheduler) -> None:
    held_out = data(30, seed=9)
    on = {"held_out": held_out, "against": "held-out"}
    found = judge(**on).judge(schedule, iteration=1, count=20)
    assert found.against == "30 held-out examples"
    assert found.figures == judge(training=held_out).judge(schedule, iteration=1, count=20).figures
    with pytest.raises(DataError, match=r"there are no held-out examples to compare with: held_out = "):
        judge(against="held-out").judge(schedule, iteration=1, count=20)


def test_what_a_metric_lacks_is_said_and_the_others_are_taken(schedule: CooperativeScheduler) -> None:
    metrics = {"kid": Kid(), "memorisation": Memorisation(), "reconstruction": Reconstruction()}
    found = judge(metrics=metrics).judge(schedule, iteration=1, count=20)
    assert [each.name for each in found.figures] == ["kid"]
    assert found.left_out["memorisation"] == "it needs held-out examples, kept back from training"
    assert "a generator that reconstructs examples" in found.left_out["reconstruction"]
    chain = Chain(Langevin(step_size=0.1), 2)
    whole = judge(metrics=metrics, held_out=data(20, seed=5), inference=chain)
    assert not whole.judge(schedule, iteration=1, count=20).left_out


def test_too_few_samples_leave_a_metric_out_with_its_own_words(schedule: CooperativeScheduler) -> None:
    class Never(Metric):
        def measure(self, material: Material) -> Sequence[Figure]:
            raise DataError(f"{len(material.generated)} are too few")

    found = judge(metrics={"never": Never()}, features=None).judge(schedule, iteration=1, count=8)
    assert (found.figures, found.left_out) == ([], {"never": "8 are too few"})


def test_crops_are_compared_in_the_place_of_whole_images(schedule: CooperativeScheduler) -> None:
    features = Counted()
    cropped = judge(features=features, crop=4, metrics={"kid": Kid(), "memorisation": Memorisation()})
    found = cropped.judge(schedule, iteration=1, count=30)
    assert features.looked_at == MOST_CROPS + 30
    assert found.against == f"{MOST_CROPS} training crops of 4 pixels"
    assert {each.name: each.count for each in found.figures} == {"kid": 30}
    assert set(found.left_out) == {"memorisation"}
    floor, ceiling = cropped.bounds(30)
    assert [each.count for each in (*floor, *ceiling)] == [30, 30]
    with pytest.raises(DataError, match="do not fit into 8x4 pixels"):
        judge(crop=5).bounds(30)


def test_what_was_found_is_shown_on_a_line_each() -> None:
    def kid(value: float, error: float | None = None) -> Figure:
        return Figure("kid", value, error, 256, "lite0-112")

    found = Evaluation(
        iteration=4800,
        count=256,
        against="360 training examples",
        seed=0,
        figures=[kid(0.17, 0.008), Figure("swd", 0.05, None, 256)],
        floor=[kid(-0.0055)],
        ceiling=[kid(1.013)],
        left_out={"memorisation": "it needs held-out examples"},
        steps=20,
    )
    assert repr(found).splitlines() == [
        "iteration 4,800 (last weights, 20 steps), 256 samples against 360 training examples",
        "  kid(lite0-112, n = 256) = 0.17 ± 0.008 (floor -0.0055, ceiling 1.013)",
        "  swd(n = 256) = 0.05",
        "  memorisation is left out: it needs held-out examples",
    ]
