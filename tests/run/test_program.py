"""Runs of parts that a program built: the loop is the program's, all else as with a run file."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

import ebmkit as face
from ebmkit.core import Chain, CooperativeScheduler, Energy, TensorSource
from ebmkit.errors import CheckpointError, ConfigError, DataError, RunDirectoryError
from ebmkit_convnets import ConvDescriptor, ConvGenerator
from ebmkit_coopnets import CoopNets, DescriptorOnly
from ebmkit_langevin import Langevin
from tests.conftest import Ebmkit

SHAPE = (1, 8, 8)
RATES = {"energy": 1e-3, "generator": 2e-3}


class Bowl(Energy):
    """E(x) = a |x|²: of no plugin."""

    def __init__(self, *, start: float = 1.0) -> None:
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor(start))

    def forward(self, x: Tensor) -> Tensor:
        return self.a * x.flatten(1).square().sum(1)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def images() -> Tensor:
    return torch.linspace(-1, 1, 12 * 64).reshape(12, *SHAPE)


def parts(seed: int = 0) -> CoopNets:
    torch.manual_seed(seed)
    energy = ConvDescriptor(SHAPE, channels=(4,), kernels=(3,), strides=(2,), reference_std=0.3)
    generator = ConvGenerator(SHAPE, latents=3, channels=(4,))
    return CoopNets(energy, generator, Chain(Langevin(step_size=0.03), 2))


def new(name: str = "it", schedule: CooperativeScheduler | None = None, **settings: int) -> face.Run:
    schedule = schedule or parts()
    rates = RATES if isinstance(schedule, CoopNets) else None
    return face.Run.new(name, schedule, data=images(), batch=5, rates=rates, device="cpu", **settings)


def weights(name: str, iteration: int) -> dict[str, Tensor]:
    folder = Path(f"runs/{name}/checkpoints/iteration-{iteration:07}")
    return {
        f"{path.stem}.{key}": value
        for path in folder.glob("*.safetensors")
        for key, value in safetensors.torch.load_file(path).items()
    }


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_a_resumed_run_has_the_bits_of_an_uninterrupted_one() -> None:
    assert [report.iteration for report in new("whole").train(6)] == [1, 2, 3, 4, 5, 6]
    for report in new("half").train(6):
        if report.iteration == 3:
            break  # which saves
    again = face.Run.resume("half", parts(seed=9), data=images())  # its weights are replaced
    assert again.iteration == 3
    assert [report.iteration for report in again.train(6)] == [4, 5, 6]
    assert same(weights("whole", 6), weights("half", 6))
    lines = [
        json.loads(line)["iteration"] for line in Path("runs/half/metrics.jsonl").read_text().splitlines()
    ]
    assert lines == sorted(set(lines))
    assert list(again.train(6)) == []


def test_the_run_is_opened_by_its_name_and_draws_what_the_command_draws(ebmkit: Ebmkit) -> None:
    schedule = parts()
    list(new("it", schedule).train(2))
    trained = face.load("it")
    assert trained.iteration == 2
    assert same(trained.schedule.state_dict(), schedule.state_dict())
    assert ebmkit("sample", "it", "--count", 3, "--seed", 4).code == 0
    drawn = safetensors.torch.load_file("runs/it/generated/seed-4/samples.safetensors")
    made = {name: x for name, x in trained.sample(3, seed=4)._asdict().items() if x is not None}
    assert same(made, drawn)
    assert repr(trained) == ("TrainedRun('it', iteration 2, energy=ConvDescriptor, generator=ConvGenerator)")
    assert trained.config["revision"]["step_size"] == 0.03


def test_parts_of_no_plugin_are_told_as_the_programs_own() -> None:
    schedule = DescriptorOnly(Bowl(start=2.0), Chain(Langevin(step_size=0.1), 1), SHAPE, chains=3)
    list(new("own", schedule).train(2))
    config = tomllib.loads(Path("runs/own/config.toml").read_text())
    assert config["energy"]["use"] == "program:tests.run.test_program.Bowl"
    assert config["energy"]["start"] == 2.0
    assert (config["schedule"]["use"], config["schedule"]["chains"]) == ("descriptor-only", 3)
    with pytest.raises(ConfigError, match=r"\[energy\] tests\.run\.test_program\.Bowl\nIn Python: "):
        face.load("own")
    fresh = DescriptorOnly(Bowl(), Chain(Langevin(step_size=0.1), 1), SHAPE, chains=3)
    trained = face.load("own", schedule=fresh)
    assert same(trained.schedule.state_dict(), schedule.state_dict())
    with pytest.raises(CheckpointError, match="does not fit this schedule"):
        face.load("own", schedule=parts())


def test_other_parts_and_other_data_are_refused() -> None:
    list(new().train(1))
    other = parts()
    other.revision = Chain(Langevin(step_size=0.1), 2)
    with pytest.raises(ConfigError, match=r"revision\.step_size +0\.03 +0\.1"):
        face.Run.resume("it", other, data=images())
    with pytest.raises(DataError, match=r"data\.sha256"):
        face.Run.resume("it", parts(), data=images() / 2)


def test_a_divergence_goes_back_to_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = DescriptorOnly(Bowl(), Chain(Langevin(step_size=0.1), 1), SHAPE, chains=3)
    run, reports, poisoned = new("back", schedule), [], False
    for report in run.train(4):
        reports.append(report.iteration)
        if report.iteration == 2 and not poisoned:
            poisoned = True
            with torch.no_grad():
                schedule.get_parameter("energy.a").fill_(torch.nan)
    assert reports == [1, 2, 1, 2, 3, 4]
    assert len(Path("runs/back/rollbacks.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rates": {"enregy": 0.1}}, "an optimizer for 'enregy', but the schedule has energy, generator"),
        ({"checkpoint_evry": 3}, "did you mean 'checkpoint_every'"),
        ({"batch": 0}, "batch"),
        ({"guard": {"step_factor": 0.5}}, "step_factor"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        face.Run.new("wrong", parts(), **{"data": images(), **settings})
    assert not Path("runs/wrong").exists()


def test_a_folder_that_is_there_is_not_overwritten() -> None:
    new()
    with pytest.raises(RunDirectoryError, match="exists already"):
        new()


def test_importing_the_package_and_checking_a_run_file_load_no_torch() -> None:
    code = (
        "import sys, ebmkit, ebmkit_coopnets, ebmkit_mcmc\n"
        f"plan = ebmkit.load_plan({str(Path(__file__).parents[2] / 'examples/coopnets_faces.toml')!r},"
        " overrides={'run.seed': 3})\n"
        "assert plan.run.seed == 3 and 'load' in dir(ebmkit)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_tensor_source_brings_conditions() -> None:
    source = TensorSource(torch.arange(6).reshape(3, 2), torch.eye(3))
    assert source[torch.tensor([2])].tolist() == [[4.0, 5.0]]
    condition = source.condition(torch.tensor([1]))
    assert condition is not None
    assert condition.tolist() == [[0.0, 1.0, 0.0]]
    assert source.classes == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.tensor(1.0),), "holds no example"),
        ((torch.tensor([torch.nan]),), "not finite"),
        ((torch.ones(3), torch.ones(2)), "2 conditions for 3 examples"),
    ],
)
def test_a_tensor_source_refuses(arguments: tuple[Tensor, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TensorSource(*arguments)


def test_numbers_of_classes_lie_among_the_classes() -> None:
    with pytest.raises(ValueError, match="there are 2 classes"):
        TensorSource(torch.ones(2, 1), torch.tensor([0, 2]), classes=("a", "b"))
    with pytest.raises(ValueError, match="the number of each example's class"):
        TensorSource(torch.ones(2, 1), torch.ones(2), classes=("a", "b"))


def test_a_run_is_judged_from_python_as_on_the_command_line(
    ebmkit: Ebmkit, run_file: Callable[[str], Path]
) -> None:
    sets = (
        "--set",
        "evaluation.count=8",
        "--set",
        'evaluation.metrics=["kid"]',
        "--set",
        "evaluation.features=pixels",
    )
    assert ebmkit("run", run_file("coopnets"), *sets).code == 0
    answer = json.loads(ebmkit("evaluate", "coopnets", "--json").out)["evaluations"][0]
    found = face.load("coopnets").evaluate()
    for name, figures in (("figures", found.figures), ("floor", found.floor), ("ceiling", found.ceiling)):
        assert [each["value"] for each in answer[name]] == [each.value for each in figures]
    assert (found.count, face.load("coopnets").evaluate(count=9).count) == (8, 9)


def test_a_run_whose_data_a_program_handed_in_is_judged_against_them(ebmkit: Ebmkit) -> None:
    for _ in new("mine").train(1):
        pass
    trained = face.load("mine")
    found = trained.evaluate(count=8, against=images())
    assert found.against == "12 given examples"
    assert [each.name for each in found.figures][:1] == ["kid"]
    refused = ebmkit("evaluate", "mine")
    assert refused.code == 2
    assert "ebmkit.load('mine').evaluate(against=data)" in refused.err
    with pytest.raises(DataError, match=r"shape \(1, 4, 4\), samples of this run \(1, 8, 8\)"):
        trained.evaluate(against=images()[:, :, :4, :4])
