"""From a plan to an experiment: devices, data, and the weights that parts begin with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ebmkit.config import ConfigProblemsError
from ebmkit.core import CooperativeScheduler
from ebmkit.errors import ConfigError, DataError, PluginError
from ebmkit.run.build import build_experiment, build_schedule, choose_device, open_source
from tests.conftest import Install
from tests.run.test_resume import same_bits
from tests.training.test_guard import plan_of

RunFile = Callable[[str], Path]


def schedule(file: Path, *overrides: str) -> CooperativeScheduler:
    plan = plan_of(file, *overrides)
    return build_schedule(plan, shape=(1, 16, 16), examples=12, device=torch.device("cpu"))


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """What torch would say of so many GPUs: there may be none here."""

    def there_are(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "set_device", lambda number: None)
        for variable in ("WORLD_SIZE", "LOCAL_RANK"):
            monkeypatch.delenv(variable, raising=False)

    return there_are


@pytest.mark.parametrize(
    ("name", "count", "device"),
    [("cpu", 2, "cpu"), ("auto", 0, "cpu"), ("auto", 2, "cuda"), ("cuda", 1, "cuda")],
)
def test_the_device_is_the_one_that_is_named_or_a_gpu_where_there_is_one(
    name: str, count: int, device: str, gpus: Callable[[int], None]
) -> None:
    gpus(count)
    assert choose_device(name) == torch.device(device)


def test_a_gpu_that_is_not_there_is_refused(gpus: Callable[[int], None]) -> None:
    gpus(0)
    with pytest.raises(ConfigError, match='write device = "auto" or "cpu"'):
        choose_device("cuda")


def test_of_several_processes_each_has_a_gpu_of_its_own(
    gpus: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus(2)
    monkeypatch.setenv("WORLD_SIZE", "3")
    found = []
    for rank in ("0", "1"):
        monkeypatch.setenv("LOCAL_RANK", rank)
        found.append(choose_device("auto"))
    assert found == [torch.device("cuda", 0), torch.device("cuda", 1)]
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ConfigError, match="process 2 of this machine has no GPU of its own: there are 2;"):
        choose_device("auto")
    assert choose_device("cpu") == torch.device("cpu")


def test_each_part_begins_with_the_weights_of_a_stream_of_its_own(run_file: RunFile) -> None:
    """Another energy leaves the generator's start as it was; another seed does not."""
    file = run_file("coopnets")
    before = torch.random.get_rng_state()
    one, same, other, later = (
        schedule(file, *overrides).state_dict()
        for overrides in ((), (), ("energy.channels=[6,8]",), ("run.seed=1",))
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same_bits(one, same)
    weights = [name for name in one if name.startswith("generator.") and one[name].is_floating_point()]
    assert all(torch.equal(one[name], other[name]) for name in weights)
    assert not torch.equal(one["generator.project.weight"], later["generator.project.weight"])
    assert one["energy.features.0.weight"].shape != other["energy.features.0.weight"].shape


def test_energies_of_one_shape_in_two_tables_begin_with_other_weights(run_file: RunFile) -> None:
    """As torch draws them, a stream's first numbers first; both tables say the same."""
    same = ("grids.16.channels=[4]", "grids.16.kernels=[3]", "grids.16.strides=[1]")
    as_torch_does = (f"grids.{size}.weight_std=0.0" for size in ("4", "16"))
    found = schedule(run_file("multigrid"), *same, *as_torch_does).state_dict()
    coarse, fine = (found[f"grids.{size}.features.0.weight"] for size in ("4", "16"))
    assert coarse.shape == fine.shape
    assert not torch.equal(coarse, fine)


def test_what_several_parts_refuse_is_told_together_each_at_its_table(run_file: RunFile) -> None:
    file = run_file("coopnets")
    with pytest.raises(ConfigProblemsError) as refused:
        schedule(file, "energy.kernels=[5]", "generator.channels=[8,8,8,8,4]")
    energy, generator = refused.value.problems
    assert (
        "energy 'descriptor' of ebmkit-torch refuses these settings: channels, kernels and" in energy.message
    )
    assert "generator 'generator' of ebmkit-torch refuses these settings: " in generator.message
    lines = file.read_text().splitlines()
    for problem, table in ((energy, "[energy]"), (generator, "[generator]")):
        assert problem.line == lines.index(table) + 1


def test_what_a_class_raises_in_its_constructor_is_told_with_its_line(
    install: Install, run_file: RunFile, tmp_path: Path
) -> None:
    source = """
        from ebmkit.core import Energy
        from ebmkit.plugin import hookimpl

        class Broken(Energy):
            '''Broken.'''
            def __init__(self, shape):
                super().__init__()
                self.share = 1 / (shape[0] - 1)
            def forward(self, x):
                return x.flatten(1).sum(1)

        @hookimpl
        def ebmkit_energies():
            return {"broken": Broken}
    """
    install("broken-parts", "broken_in_the_making", source)
    file = run_file("descriptor-only")
    text = file.read_text()
    start, end = text.index("[energy]"), text.index("[revision]")
    file.write_text(text[:start] + '[energy]\nuse = "broken"\n\n' + text[end:])
    with pytest.raises(PluginError) as raised:
        schedule(file)
    module = tmp_path / "broken_in_the_making.py"
    (line,) = (n for n, each in enumerate(module.read_text().splitlines(), 1) if "1 / (" in each)
    assert str(raised.value) == (
        "energy 'broken' (plugin 'broken_in_the_making' of broken-parts 1.2) cannot be built: "
        f"ZeroDivisionError: division by zero\n  at {module}:{line}\nEBMKIT_DEBUG=1 shows the traceback"
    )


NUMBERS = """
    import torch
    from ebmkit.core import Source
    from ebmkit.plugin import hookimpl

    class Numbers(Source):
        '''Example i is one number, the same for each run of so many.

        Args:
            count: of examples.
            alike: how long the runs are.
        '''
        def __init__(self, *, count: int = 20, alike: int = 1):
            self.count, self.alike, self.shape = count, alike, (1, 4, 4)

        def __len__(self):
            return self.count

        def __getitem__(self, index):
            return (index // self.alike).float()[:, None, None, None].expand(-1, 1, 4, 4)

    @hookimpl
    def ebmkit_sources():
        return {"numbers": Numbers}
"""


@pytest.mark.parametrize(
    ("count", "alike", "said"),
    [
        (20, 1, ""),
        (1, 1, ""),  # there is no other that it might differ from
        (1000, 999, "all 16 examples that were looked at, of 1000, are identical"),
        (1000, 500, ""),
        (3, 9, "all 3 examples that were looked at, of 3, are identical"),
        (0, 1, "[data] use = 'numbers' holds no example"),
    ],
)
def test_data_from_which_nothing_can_be_learned_are_refused(
    count: int, alike: int, said: str, install: Install, run_file: RunFile
) -> None:
    install("number-parts", "numbers_to_learn_from", NUMBERS)
    file = run_file("descriptor-only")
    text = file.read_text()
    start, end = text.index("[data]"), text.index("[energy]")
    file.write_text(f'{text[:start]}[data]\nuse = "numbers"\nbatch = 2\n\n{text[end:]}')
    plan = plan_of(file, f"data.count={count}", f"data.alike={alike}")
    if said:
        with pytest.raises(DataError) as refused:
            open_source(plan)
        assert str(refused.value) == said
    else:
        assert len(open_source(plan)) == count


def test_an_experiment_is_made_of_data_that_are_open_already(run_file: RunFile) -> None:
    plan = plan_of(run_file("coopnets"))
    source = open_source(plan)
    training = build_experiment(plan, source=source)
    assert training.batches.source is source
    assert [*training.learners] == ["energy", "generator"]
