"""Chains under an energy that stays as it is."""

from __future__ import annotations

from typing import Annotated, Literal, final

import torch
from torch import Tensor

from ebmkit.core import (
    Batch,
    Chain,
    Clamped,
    CooperativeScheduler,
    Energy,
    EnergyFn,
    Examples,
    Ge,
    Gt,
    Lt,
    PersistentChains,
    Proposal,
    Rng,
    Update,
    Updates,
    gather,
    renamed,
    speckle_masks,
    square_masks,
    stage,
)

__all__ = ["Sampling"]


@final
class Sampling(CooperativeScheduler):
    r"""Draw from an energy and learn nothing: every iteration continues the chains by ``revision``.

    It is the schedule for energies composed of trained ones. The chains persist and are saved, so a run
    can be stopped, resumed and made longer like a training. A sampler begins anew each iteration where
    the chains are: one that adapts, anneals or remembers a velocity needs its whole length in
    ``[revision] steps``.

    With ``hidden`` it samples conditionally: chain i takes example i of the first batch (modulo its
    size), holds the coordinates outside its own mask to every bit, and moves the hidden ones under
    $E(y \mid x_{observed})$.

    Args:
        energy: of whole examples.
        revision: the chain on x.
        shape: of one example.
        chains: how many.
        start: where chains start: ``noise``, N(0, ``noise_std``² I), or ``data``, the first batch (chain
            i takes example i modulo its size). Hidden coordinates always start from noise.
        noise_std: standard deviation of the starting noise, in the units of x.
        hidden: ``none``, ``square``, one at a random place of each image, or ``speckle``, pixels or
            coordinates at random.
        hidden_size: side of the square, in pixels.
        hidden_share: probability that a pixel or coordinate is hidden by speckle.

    Raises:
        ValueError: the square does not fit into the image, or the examples are no images.
    """

    energy: Energy
    revision: Chain
    observed: Tensor
    masks: Tensor

    def __init__(
        self,
        energy: Energy,
        revision: Chain,
        shape: tuple[int, ...],
        *,
        chains: Annotated[int, Ge(1)] = 64,
        start: Literal["noise", "data"] = "noise",
        noise_std: Annotated[float, Gt(0)] = 1.0,
        hidden: Literal["none", "square", "speckle"] = "none",
        hidden_size: Annotated[int, Ge(1)] = 20,
        hidden_share: Annotated[float, Ge(0), Lt(1)] = 0.3,
    ) -> None:
        super().__init__()
        self.energy = energy
        self.revision = revision
        self.start = start
        self.hidden = hidden
        self.hidden_size = hidden_size
        self.hidden_share = hidden_share
        self.replay = PersistentChains(chains, shape, scale=noise_std)
        renamed(self, {"samples": "replay.samples", "started": "replay.started"})
        self.register_buffer("observed", torch.zeros(chains, *shape) if hidden != "none" else None)
        self.register_buffer("masks", self._draw_masks(Rng(0)) if hidden != "none" else None)

    def updates(self, batch: Batch, *, rng: Rng) -> Updates:
        """The chains go on; the one update reports what the sampler saw, and teaches nobody."""
        if self.hidden != "none" and not self.replay.started.any():
            self._observe(gather(batch.x), rng.of_chain(0))
        data = batch.x if self.start == "data" and self.hidden == "none" else None
        proposal, slots, rng = self.replay.start(len(self.replay), rng=rng, data=data)
        energy = self._conditioned(slots)
        proposal = _completed(energy, proposal)
        with stage("revision"):
            moved = self.revision(energy, proposal, rng=rng.fold_in("revision"))
        revised = _completed(energy, moved.x)
        self.replay.keep(slots, revised)
        yield Update("energy", None, {f"revision_{name}": value for name, value in moved.stats.items()})
        return Examples(batch.x, proposal, revised)

    def propose(self, count: int, *, rng: Rng) -> Proposal:
        """The chains as the run left them, repeated in turn; noise before it began."""
        return Proposal(self.replay.latest(count, rng=rng))

    def _observe(self, data: Tensor, rng: Rng) -> None:
        """Decide which coordinates of which example each chain holds."""
        self.observed.copy_(data[torch.arange(len(self.observed), device=data.device) % len(data)])
        self.masks.copy_(self._draw_masks(rng.fold_in("masks")))

    def _conditioned(self, chains: Tensor) -> EnergyFn:
        """The energy, given what these chains observe."""
        if self.hidden == "none":
            return self.energy
        return Clamped(self.energy, self.observed[chains], self.masks[chains])

    def _draw_masks(self, rng: Rng) -> Tensor:
        count, *shape = self.replay.samples.shape
        if self.hidden == "square":
            return square_masks(count, tuple(shape), size=self.hidden_size, rng=rng)
        return speckle_masks(count, tuple(shape), hidden=self.hidden_share, rng=rng)


def _completed(energy: EnergyFn, x: Tensor) -> Tensor:
    """The observed coordinates put back into x, where some are observed."""
    return energy.complete(x) if isinstance(energy, Clamped) else x
