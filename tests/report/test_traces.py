from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ebmkit.report.traces import traces_of
from tests.conftest import Ebmkit
from tests.plugins.arrays.reading import saved


def heights(plot: Tensor) -> Tensor:
    """Where the curve of one plot is in each of its columns, as a share of the height, from below."""
    darkness = (plot.float().mean(0).amax() - plot.float().mean(0)).clamp_min(60) - 60  # rules are fainter
    rows = torch.arange(plot.shape[1]).float()
    return 1 - (darkness * rows[:, None]).sum(0) / darkness.sum(0) / (plot.shape[1] - 1)


def test_a_curve_stands_where_its_numbers_say_on_one_scale_for_all() -> None:
    ramp = torch.linspace(-2, 2, 40)
    whole, half = traces_of(torch.stack([ramp, ramp / 2])[:, None])
    for plot, ends in ((whole, (0, 1)), (half, (0.25, 0.75))):
        drawn = heights(plot)
        wanted = torch.linspace(*ends, len(drawn))
        assert torch.allclose(drawn[8:-8], wanted[8:-8], atol=0.06)


def test_channels_are_told_apart_by_colour_and_what_is_not_finite_is_drawn_as_zero() -> None:
    x = torch.tensor([[[1.0, 1.0], [-1.0, -1.0]], [[torch.nan, torch.inf], [0.0, 0.0]]])
    plots = traces_of(x)
    assert plots.shape[:2] == (2, 3)
    upper, lower = plots[0, :, :8, 50], plots[0, :, -8:, 50]
    colours = [each[:, each.float().mean(0).argmin()].tolist() for each in (upper, lower)]
    assert colours[0] != colours[1]
    assert torch.equal(plots[1], traces_of(torch.cat([x[:1], torch.zeros(1, 2, 2)]))[1])


SEQUENCES = """
[run]
iterations = 2
samples_every = 2
device = "cpu"

[data]
use = "npy"
path = "waves.npy"
window = 16
batch = 4

[energy]
use = "descriptor"
channels = [3]
kernels = [4]
strides = [2]
reference_std = 0.5

[generator]
use = "generator"
channels = [4]
latents = 3

[revision]
use = "langevin"
steps = 2
step_size = 0.1

[schedule]
use = "coopnets"
"""


def test_a_run_on_sequences_draws_them_and_so_do_sample_report_and_export(
    tmp_path: Path, ebmkit: Ebmkit
) -> None:
    saved(tmp_path / "waves.npy", torch.linspace(0, 90, 400).sin().numpy())
    (tmp_path / "waves.toml").write_text(SEQUENCES)
    commands = ("run waves.toml", "sample --count 3", "report", "export waves out")
    said = [ebmkit(*command.split()) for command in commands]
    assert [each.code for each in said] == [0] * 4, said
    sets = {"observed", "proposal", "revised", "reconstructed"}
    assert {path.name for path in Path("runs/waves/samples").iterdir()} == {f"{s}-0000002.png" for s in sets}
    with Image.open("runs/waves/generated/seed-0/revised.png") as picture:
        assert picture.size == (3 * 160 + 2 * 2, 64)
    assert "revised after iteration 2" in Path("runs/waves/report.html").read_text()
    assert Path("out/revised.png").is_file()
