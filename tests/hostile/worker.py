"""A process that runs cases as they are named on its standard input: ``python -m tests.hostile.worker ROLE``.

Each line in is ``SOURCE RESULT [NOISE]``: the text of a case, the file for what it gave, and, for the
reference, the file with what the subject gave, whose noise it needs. Each line out is ``done`` or, where the
case left the process other than it was, ``spoilt``, after which the process ends.

Roles: ``plain`` (torch alone, float32 and float64), ``rounded`` (the same without oneDNN: another rounding of
the same answers), ``fast`` (ebmkit).
"""

from __future__ import annotations

import random
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from tests.hostile.kit import Kit
from tests.hostile.observe import objects, process, randomness


def main(role: str) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        source, target, *noise = line.split()
        given = torch.load(noise[0], weights_only=False)["noises"] if noise else {}
        result = _run(role, Path(source), given)
        torch.save(result, target)
        sys.stdout.write("spoilt\n" if result["spoilt"] else "done\n")
        sys.stdout.flush()
        if result["spoilt"]:
            return


def _run(role: str, source: Path, noises: dict[str, Any]) -> dict[str, Any]:
    if role == "fast":
        from tests.hostile.fast import FastKit

        return _observed(source, FastKit())
    with torch.backends.mkldnn.flags(enabled=role != "rounded"):
        natural = _observed(source, Kit(noises=noises))
    assert not any(name.startswith("ebmkit") for name in sys.modules), "the reference must not know ebmkit"
    return (
        natural
        if role == "rounded"
        else natural | {"exact": _observed(source, Kit(exact=True, noises=noises))}
    )


def _observed(source: Path, kit: Kit) -> dict[str, Any]:
    """What a case gives, and what it changed."""
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    before = process()
    kit.part("everything else", lambda: _whole(source, kit))
    after = process()
    spoilt = [name for name in before if before[name] != after[name]]
    return {
        "results": kit.results,
        "noises": kit.noises,
        "objects": objects(kit.watched),
        "randomness": randomness(),
        "spoilt": spoilt,
    }


def _whole(source: Path, kit: Kit) -> dict[str, Any]:
    _loaded(source).run(kit)
    return {}


def _loaded(source: Path) -> Any:
    """The text as a module, anew each time: what a case changes in its classes is gone with it."""
    module = ModuleType(f"case_{source.stem}")
    sys.modules[module.__name__] = module
    exec(compile(source.read_text(), str(source), "exec"), vars(module))  # noqa: S102
    return module


if __name__ == "__main__":
    main(sys.argv[1])
