"""``ebmkit score``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ebmkit.cli.options import Condition, Data, RunName, Saved, Sets, Weights, which
from ebmkit.cli.output import writing

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["score"]

_QUANTILES = (0.05, 0.5, 0.95)


def score(
    name: RunName = None,
    *,
    checkpoint: Saved = "newest",
    weights: Weights = None,
    condition: Condition = None,
    data: Data = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File; by default energies.csv in the run folder.", show_default=False
        ),
    ] = None,
    set_: Sets = None,
) -> None:
    """Give each example its energy: the higher, the less likely.

    Examples are the run's own; --set data.KEY=VALUE opens others of their source: --set data.skip=8500 --set
    data.limit=0 those behind the first 8,500.
    """
    from ebmkit.applications.conditions import of_class
    from ebmkit.applications.loading import examples_of
    from ebmkit.applications.sampling import load_schedule
    from ebmkit.applications.scoring import energies_of, table_of
    from ebmkit.errors import ConfigError
    from ebmkit.run.weights import described
    from ebmkit.storage.durable import replace_file
    from ebmkit.storage.folder import find_run

    folder = find_run(name)
    schedule, trained = load_schedule(folder, which=which(checkpoint), weights=weights)
    energy = of_class(schedule, trained.trained_on.classes, condition, of=folder.name).energy
    if energy is None:
        raise ConfigError(f"run {folder.name} has no energy to score examples by")
    examples = examples_of(folder, data=data, overrides=set_ or (), shape=trained.trained_on.shape)
    found = energies_of(energy, examples)
    target = output or folder.path / "energies.csv"
    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, table_of(found).encode())
    print(f"{target}: {_said(found)}")
    print(f"by {folder.name} after {described(trained, weights)}")


def _said(energies: Tensor) -> str:
    """``100 energies, nats: 5 % below -3.1, half below -1.2, 95 % below 4.5``."""
    low, middle, high = energies.quantile(energies.new_tensor(_QUANTILES)).tolist()
    return (
        f"{len(energies)} energies, nats: 5 % below {low:.4g}, half below {middle:.4g}, 95 % below {high:.4g}"
    )
