"""What the schedules with an energy report beside its loss."""

from __future__ import annotations

from torch import Tensor

from ebmkit.core import Samples, mean_energies, shared_mean

__all__ = ["revision_figures"]


def revision_figures(
    revised: Samples, *, observed: Tensor | None, synthesized: Tensor | None
) -> dict[str, Tensor]:
    """The stats of the revision, and the energies that were met on the way.

    Args:
        revised: what the revision gave.
        observed: energies of the data, ``(n,)``, as the loss has them; None leaves them to whoever looks.
        synthesized: of the revised samples, ``(m,)``; None likewise.
    """
    met = {"proposal": revised.start_energy, "observed": observed, "revised": synthesized}
    means = {name: None if each is None else shared_mean(each.detach()) for name, each in met.items()}
    energies = mean_energies(**means)
    return {f"revision_{name}": value for name, value in revised.stats.items()} | energies
