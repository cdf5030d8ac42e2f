"""What every map to features must respect."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor

from ebmkit.core import Features, Rng
from ebmkit.testing.claims import FeaturesClaims
from ebmkit.testing.modules import check_deterministic, check_rows, check_unchanged
from ebmkit.testing.parameters import check_parameters
from ebmkit.testing.subject import Subject
from ebmkit.testing.tensors import demand, same_bits

__all__ = ["CHECKS"]

FeaturesSubject: TypeAlias = Subject[FeaturesClaims]

_ROWS = 5


def _build(subject: FeaturesSubject) -> Features:
    features = subject.make()
    demand(isinstance(features, Features), f"{type(features).__name__} does not inherit from Features")
    return features.eval()  # type: ignore[no-any-return]


def _images(shape: tuple[int, ...], count: int = _ROWS) -> Tensor:
    return Rng(1).uniform(torch.empty(count, *shape)) * 2 - 1


def parameters(subject: FeaturesSubject) -> str:
    """Every keyword parameter has a type, a line under ``Args:``, and a default inside its range."""
    return check_parameters(subject)


def shape(subject: FeaturesSubject) -> str:
    """Images of each claimed shape, of a single colour too, become finite vectors, ``(B, d)``."""
    features = _build(subject)
    for each in subject.claims.shapes:
        widths = set()
        for count in (1, _ROWS):
            with torch.no_grad():
                found, flat = features(_images(each, count)), features(torch.zeros(count, *each))
            right = found.ndim == 2 and len(found) == count  # noqa: PLR2004
            demand(right, f"{count} images of {each} became {tuple(found.shape)}; wanted ({count}, d)")
            demand(found.dtype == torch.float32, f"features of float32 images are {found.dtype}")
            demand(bool(torch.isfinite(found).all()), f"features of images of {each} are not finite")
            demand(bool(torch.isfinite(flat).all()), f"features of grey images of {each} are not finite")
            widths.add(found.shape[1])
        demand(len(widths) == 1, f"their number depends on the batch: {widths}")
    return f"{len(subject.claims.shapes)} shapes"


def fixed(subject: FeaturesSubject) -> str:
    """Nothing of it learns, and two instances have one fingerprint and the same features."""
    features, other = _build(subject), _build(subject)
    learns = [name for name, each in features.named_parameters() if each.requires_grad]
    demand(not learns, f"these parameters would learn: {', '.join(learns)}")
    demand(bool(features.name), "it has no name")
    demand(features.fingerprint() == other.fingerprint(), "two instances differ in their weights")
    x = _images(subject.claims.shapes[0])
    with torch.no_grad():
        demand(same_bits(features(x), other(x)), "two instances of one fingerprint give other features")
    return features.name


def clamped(subject: FeaturesSubject) -> str:
    """Values beyond [-1, 1] are clamped."""
    features = _build(subject)
    for each in subject.claims.shapes:
        x = 1.5 * _images(each)
        with torch.no_grad():
            same = torch.allclose(features(x), features(x.clamp(-1, 1)), rtol=1e-5, atol=1e-6)
        demand(same, f"images of {each} beyond [-1, 1] have other features than clamped ones")
    return ""


def input_unchanged(subject: FeaturesSubject) -> str:
    """The images are not modified in place."""
    features = _build(subject)
    with torch.no_grad():
        return check_unchanged(features, _images(subject.claims.shapes[0]))


def independent_rows(subject: FeaturesSubject) -> str:
    """Another image in one row, even NaN, changes no other row."""
    features = _build(subject)
    with torch.no_grad():
        return check_rows(features, _images(subject.claims.shapes[0]))


def deterministic(subject: FeaturesSubject) -> str:
    """The same images give the same bits, and no global generator moves."""
    features = _build(subject)
    with torch.no_grad():
        return check_deterministic(features, _images(subject.claims.shapes[0]))


CHECKS = {
    "parameters": parameters,
    "shape": shape,
    "fixed": fixed,
    "clamped": clamped,
    "input-unchanged": input_unchanged,
    "independent-rows": independent_rows,
    "deterministic": deterministic,
}
