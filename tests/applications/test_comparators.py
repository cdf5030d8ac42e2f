from __future__ import annotations

import numpy as np
import pytest

from ebmkit.applications.comparators import COMPARATORS, Hidden, Pixels

pytest.importorskip("skimage", reason="needs the extra [recovery]")
pytest.importorskip("scipy", reason="needs the extra [recovery]")

SIDE = 20


def hole(top: int = 6, left: int = 8, size: int = 7) -> Hidden:
    hidden = np.zeros((SIDE, SIDE), bool)
    hidden[top : top + size, left : left + size] = True
    return hidden


def ramp() -> Pixels:
    row, column = np.mgrid[:SIDE, :SIDE] / SIDE
    return np.stack([row, 2 * column - row, 0.5 + 0 * row])


@pytest.mark.parametrize("name", COMPARATORS)
def test_known_pixels_stay_and_hidden_ones_are_not_looked_at(name: str) -> None:
    image, hidden = np.random.default_rng(0).normal(size=(3, SIDE, SIDE)), hole()
    filled = COMPARATORS[name](image, hidden)
    blank = COMPARATORS[name](np.where(hidden, 99.0, image), hidden)
    assert filled.shape == image.shape
    assert np.array_equal(filled[:, ~hidden], image[:, ~hidden])
    assert np.allclose(filled, blank)
    assert np.isfinite(filled).all()


@pytest.mark.parametrize("name", COMPARATORS)
def test_a_hole_at_the_border_is_filled(name: str) -> None:
    filled = COMPARATORS[name](ramp(), hole(top=0, left=0))
    assert np.isfinite(filled).all()


@pytest.mark.parametrize("name", ["mrf-l2", "linear", "cubic", "thin-plate", "biharmonic"])
def test_a_linear_ramp_is_recovered_exactly(name: str) -> None:
    # A plane is harmonic, biharmonic, without bending, and its own linear and cubic interpolant.
    filled = COMPARATORS[name](np.where(hole(), 0.0, ramp()), hole())
    assert np.allclose(filled, ramp(), atol=1e-6)


def test_the_l2_field_is_at_its_minimum() -> None:
    image, hidden = np.random.default_rng(1).normal(size=(1, SIDE, SIDE)), hole()
    (filled,) = COMPARATORS["mrf-l2"](image, hidden)
    mean = (filled[:-2, 1:-1] + filled[2:, 1:-1] + filled[1:-1, :-2] + filled[1:-1, 2:]) / 4
    assert np.allclose(filled[1:-1, 1:-1][hidden[1:-1, 1:-1]], mean[hidden[1:-1, 1:-1]])


def test_the_l1_field_is_at_the_minimum_a_linear_program_finds() -> None:
    from scipy.optimize import linprog

    image, hidden = np.random.default_rng(2).normal(size=(SIDE, SIDE)), hole(size=5)
    (filled,) = COMPARATORS["mrf-l1"](image[None], hidden)
    position = np.arange(SIDE**2).reshape(SIDE, SIDE)
    across = np.stack([position[:, :-1].ravel(), position[:, 1:].ravel()], 1)
    down = np.stack([position[:-1].ravel(), position[1:].ravel()], 1)
    edges = np.concatenate([across, down])
    edges = edges[hidden.ravel()[edges].any(1)]
    # Minimise sum t with |x_i - x_j| <= t: unknowns are all pixels (known ones fixed) and t.
    count, pixels = len(edges), SIDE**2
    signs = np.zeros((count, pixels))
    signs[np.arange(count), edges[:, 0]], signs[np.arange(count), edges[:, 1]] = 1, -1
    upper = np.block([[signs, -np.eye(count)], [-signs, -np.eye(count)]])
    fixed = [(None, None) if h else (v, v) for h, v in zip(hidden.ravel(), image.ravel(), strict=True)]
    cost = np.concatenate([np.zeros(pixels), np.ones(count)])
    best = linprog(cost, upper, np.zeros(2 * count), bounds=fixed + [(0, None)] * count).fun
    found = np.abs(signs @ filled.ravel()).sum()
    assert best - 1e-9 <= found <= 1.005 * best


def test_nearest_takes_the_nearest_known_pixel() -> None:
    filled = COMPARATORS["nearest"](ramp(), hole())
    assert np.array_equal(filled[:, 6, 10], ramp()[:, 5, 10])
