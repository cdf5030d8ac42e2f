from __future__ import annotations

import math
import statistics

import pytest
import torch
from torch import Tensor

from ebmkit.core import Material
from ebmkit.errors import DataError
from ebmkit_evaluation import fid
from ebmkit_evaluation.fid import Fid, frechet_distance
from ebmkit_evaluation.pixels import Pixels
from tests.plugins.evaluation.images import noisy, smooth
from tests.plugins.evaluation.samples import drawn


def exactly(mean: Tensor, root: Tensor, count: int, seed: int) -> Tensor:
    """Points whose mean and covariance (of n - 1) are these to rounding: root rootᵀ."""
    x = drawn(count, seed, d=len(mean))
    base = torch.linalg.qr(x - x.mean(0)).Q * math.sqrt(count - 1)
    return base @ root.T + mean


def test_it_is_the_closed_form_of_two_gaussians_in_the_plane() -> None:
    """Of 2x2 matrices tr (AB)^½ = √(tr AB + 2 √det AB), whether or not they commute."""
    root_x, root_y = (
        torch.tensor([[2.0, 0.0], [1.0, 0.5]]).double(),
        torch.tensor([[0.3, 0.9], [0.0, 1.1]]).double(),
    )
    mean = torch.tensor([0.5, -1.0]).double()
    a, b = root_x @ root_x.T, root_y @ root_y.T
    root = ((a @ b).trace() + 2 * (a @ b).det().sqrt()).sqrt()
    expected = float(mean.square().sum() + a.trace() + b.trace() - 2 * root)
    found = frechet_distance(exactly(mean, root_x, 30, 1), exactly(0 * mean, root_y, 20, 2))
    assert found.value == pytest.approx(expected, abs=1e-12)


def test_it_is_the_closed_form_where_covariances_commute() -> None:
    """|Δμ|² + Σ (s - t)², with fewer dimensions than points and many."""
    s, t = torch.linspace(0.1, 3, 12).double(), torch.linspace(2, 0.5, 12).double()
    found = frechet_distance(exactly(0 * s, s.diag(), 40, 1), exactly(0 * s + 0.25, t.diag(), 30, 2))
    assert found.value == pytest.approx(float((s - t).square().sum()) + 12 / 16, abs=1e-11)


def test_a_set_is_at_distance_0_from_itself_with_fewer_points_than_dimensions_too() -> None:
    for d in (5, 60):
        x = drawn(20, 1, d=d)
        assert abs(frechet_distance(x, x.flip(0)).value) < 1e-11 * d


def test_fewer_points_than_dimensions_are_no_trouble() -> None:
    """Two sets that span orthogonal planes have nothing in common: all of both variances is between them."""
    x, y = torch.zeros(9, 20).double(), torch.zeros(7, 20).double()
    x[:, :4], y[:, 10:13] = drawn(9, 1, d=4), drawn(7, 2, d=3)
    x, y = x - x.mean(0), y - y.mean(0)
    expected = float(x.square().sum() / 8 + y.square().sum() / 6)
    assert frechet_distance(x, y).value == pytest.approx(expected, abs=1e-12)


def test_the_error_is_near_the_jackknife_that_leaves_each_example_out() -> None:
    x, y = drawn(300, 1), 1.5 * drawn(200, 2) + 0.5
    found = frechet_distance(x, y)
    variance = 0.0
    for mine, other in ((x, y), (y, x)):
        keep = ~torch.eye(len(mine), dtype=torch.bool)
        values = [frechet_distance(mine[row], other).value for row in keep]
        variance += (len(mine) - 1) * statistics.pvariance(values)
    assert found.error == pytest.approx(math.sqrt(variance), rel=0.05)


def test_sets_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(DataError, match=r"at least 2 examples each .*, not \(1, 3\) and \(5, 3\)"):
        frechet_distance(drawn(1, 1), drawn(5, 1))


def test_the_distance_of_real_from_real_images_of_the_same_number_stands_beside_it() -> None:
    generated, real, second = noisy(smooth(12, 1), 0.3), smooth(20, 2), smooth(15, 3)
    material = Material(generated=generated, real=real, second=second, features=Pixels())
    ours, floor = Fid().measure(material)
    assert (ours.name, ours.count, floor.name, floor.count) == ("fid", 12, "fid_real", 12)
    assert ours.features == floor.features == "pixels"
    described = [material.features_of(name) for name in ("second", "real")]
    assert floor.value == frechet_distance(described[0][:12], described[1]).value
    halves = Fid().measure(Material(generated=generated, real=real, features=Pixels()))[1]
    assert halves.count == 10
    assert halves.value == frechet_distance(described[1][:10], described[1][10:]).value


def test_it_is_the_formula_of_all_rows_at_once_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Means far from 0, variances over twelve orders of magnitude, more rows than features and fewer."""
    for n, m, d in ((900, 400, 30), (40, 70, 100)):
        scale = torch.logspace(0, -6, d).double()
        x, y = 100 + drawn(n, 1, d=d) * scale, 101 + 1.3 * drawn(m, 2, d=d) * scale
        expected = of_all_rows(x, y)
        for block in (1, 37, 10_000):
            monkeypatch.setattr(fid, "_BLOCK", block)
            found = frechet_distance(x, y)
            assert found.value == pytest.approx(expected[0], rel=1e-12)
            assert found.error == pytest.approx(expected[1], rel=1e-9)


def of_all_rows(x: Tensor, y: Tensor) -> tuple[float, float]:
    """The distance and its error by orthogonal factors of all centred rows: what running sums must equal."""
    shift = x.mean(0) - y.mean(0)
    x, y = x - x.mean(0), y - y.mean(0)
    (base_x, rows_x), (base_y, rows_y) = torch.linalg.qr(x), torch.linalg.qr(y)
    left, values, right = torch.linalg.svd(rows_x @ rows_y.T, full_matrices=False)
    ratio = math.sqrt((len(x) - 1) / (len(y) - 1))
    forms_x = ratio * (base_x @ left).square() @ values
    forms_y = (base_y @ right.T).square() @ values / ratio
    influence_x = 2 * x @ shift + x.square().sum(1) - forms_x
    influence_y = -2 * y @ shift + y.square().sum(1) - forms_y
    common = values.sum() / math.sqrt((len(x) - 1) * (len(y) - 1))
    spread = x.square().sum() / (len(x) - 1) + y.square().sum() / (len(y) - 1)
    variance = influence_x.var() / len(x) + influence_y.var() / len(y)
    return float(shift.square().sum() + spread - 2 * common), math.sqrt(variance)
