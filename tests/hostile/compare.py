"""When an answer is another one, and not the same one rounded.

The rule. Let e be the float64 answer, p plain torch's in the dtype of the case and s ebmkit's. s is the same
answer if its distance from e, in the norm of the whole tensor, is at most ``FACTOR`` times p's own, or at
most a floor: 3e-5 of the norm of e for float32, 6e-3 where the energy has kinks (a ReLU whose input is nearly
0 may fall either way: of N units about N * 1e-7 do, and each costs 1 / sqrt(N)), 3e-2 for bfloat16. Entries
that are not finite in p must not be finite in s, and the other way round. What raises in plain torch must
raise the same kind, what does not must not. What a case watches is compared in the same way, everything that
is no tensor exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from tests.hostile.kit import Raised

FACTOR = 10.0
FAR = 0.5
FLOOR, KINKED, COARSE = 3e-5, 6e-3, 3e-2


def differences(subject: dict[str, Any], plain: dict[str, Any], *, kinked: bool, coarse: bool) -> list[str]:
    """In words, whatever ebmkit did that plain torch does not."""
    floor = COARSE if coarse else KINKED if kinked else FLOOR
    found = list(_of_results(subject["results"], plain["results"], plain["exact"]["results"], floor))
    found += _of_objects(subject["objects"], plain["objects"], plain["exact"]["objects"], floor)
    found += [
        f"{name} was used" for name, at in plain["randomness"].items() if subject["randomness"][name] != at
    ]
    return found + [f"{name} is another one in the process" for name in subject["spoilt"]]


def ambiguities(plain: dict[str, Any]) -> list[str]:
    """Parts of a case that say something else in float64: no answer could differ from that."""
    exact = plain["exact"]["results"]
    return [
        f"{name}: in float64 the case has another meaning"
        for name, value in plain["results"].items()
        if not isinstance(value, Raised) and not _is_alike(value, exact.get(name))
    ]


def _is_alike(value: Tensor, exact: Tensor | Raised | None) -> bool:
    if exact is None or isinstance(exact, Raised) or exact.shape != value.shape:
        return False
    p, e = value.double(), exact.double()
    both = p.isfinite() & e.isfinite()
    p, e = torch.where(both, p, 0.0), torch.where(both, e, 0.0)
    return float((p - e).norm()) <= FAR * (float(e.norm()) + 1e-30)


def _of_results(
    subject: dict[str, Any], plain: dict[str, Any], exact: dict[str, Any], floor: float
) -> Iterator[str]:
    raised = {name for each in (subject, plain) for name, value in each.items() if isinstance(value, Raised)}
    for name in sorted(raised):
        yield from _of_errors(name, subject.get(name), plain.get(name))
    for name, value in plain.items():
        if name.split(": ")[0] in raised or name in raised:
            continue
        if name not in subject:
            yield f"{name}: missing"
        else:
            truth = exact.get(name)
            yield from _of_tensors(
                name,
                subject[name],
                value,
                value if truth is None or isinstance(truth, Raised) else truth,
                floor,
            )


def _of_errors(name: str, subject: Any, plain: Any) -> Iterator[str]:
    if not isinstance(plain, Raised):
        yield f"{name}: raised {subject.message} where torch gives an answer"
    elif not isinstance(subject, Raised):
        yield f"{name}: gave an answer where torch raises {plain.message}"
    elif plain.kinds[0] not in subject.kinds:
        yield f"{name}: raised {subject.message} where torch raises {plain.message}"


def _of_tensors(name: str, subject: Tensor, plain: Tensor, exact: Tensor, floor: float) -> Iterator[str]:
    if subject.shape != plain.shape or subject.dtype != plain.dtype:
        yield f"{name}: {subject.dtype} {tuple(subject.shape)}, not {plain.dtype} {tuple(plain.shape)}"
        return
    s, p, e = (each.double() for each in (subject, plain, exact))
    if not torch.equal(s.isfinite(), p.isfinite()):
        yield (
            f"{name}: {int((~s.isfinite()).sum())} entries not finite, in torch {int((~p.isfinite()).sum())}"
        )
        return
    s, p, e = (torch.where(p.isfinite() & e.isfinite(), each, 0.0) for each in (s, p, e))
    size = float(e.norm()) + 1e-30
    error, own = float((s - e).norm()) / size, float((p - e).norm()) / size
    if error > max(FACTOR * own, floor):
        yield f"{name}: off by {error:.2g} of its norm, torch by {own:.1g}"


def _of_objects(
    subject: dict[str, Any], plain: dict[str, Any], exact: dict[str, Any], floor: float
) -> Iterator[str]:
    for path in sorted(subject.keys() | plain.keys()):
        if path not in subject or path not in plain:
            yield f"{path}: {'left behind' if path in subject else 'lost'}"
        elif isinstance(plain[path], Tensor) and isinstance(subject[path], Tensor):
            truth = exact.get(path)
            yield from _of_tensors(
                path, subject[path], plain[path], plain[path] if truth is None else truth, floor
            )
        elif subject[path] != plain[path]:
            yield f"{path}: {subject[path]!r}, in torch {plain[path]!r}"
