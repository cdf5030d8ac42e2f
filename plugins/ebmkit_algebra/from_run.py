"""The energy of another run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, final

from torch import Tensor

from ebmkit.core import Energy, Gradient, MinLen, prepare

__all__ = ["FromRun"]


@final
class FromRun(Energy):
    """The energy that another run trained, from its newest good checkpoint.

    Its weights are saved with this run too: once begun, this run goes on with them whatever becomes of
    the other one's checkpoints (whose ``config.toml`` still says how the network is built).

    Args:
        trained: from the name of a run to its energy.
        run: name of a run under ``runs/``, or its path.
        learn: go on learning; by default the weights stay as they are.
    """

    def __init__(
        self, trained: Callable[[str], Energy], *, run: Annotated[str, MinLen(1)], learn: bool = False
    ) -> None:
        super().__init__()
        self.energy = trained(run).requires_grad_(learn)

    def forward(self, x: Tensor) -> Tensor:
        """E(x) of the other run in nats, ``(B, *S) -> (B,)``."""
        energies: Tensor = self.energy(x)
        return energies

    def prepare(self, x: Tensor) -> Gradient:
        """As the energy itself is prepared."""
        return prepare(self.energy, x).value_and_gradient

    @staticmethod
    def conformance() -> Mapping[str, Any]:
        """What ``ebmkit plugins check energies/from-run`` builds, on a small energy in place of a run's."""
        return {"run": "any", "learn": True}
