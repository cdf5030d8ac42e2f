"""Algorithm D: an energy alone, learned by analysis through synthesis."""

from __future__ import annotations

from typing import Annotated, Literal, final

from ebmkit.core import (
    Batch,
    Chain,
    CooperativeScheduler,
    Energy,
    Examples,
    Ge,
    Gt,
    PersistentChains,
    Proposal,
    Rng,
    Update,
    Updates,
    contrastive,
    renamed,
    stage,
)
from ebmkit_coopnets.annealing import NoiseUntil
from ebmkit_coopnets.figures import revision_figures

__all__ = ["DescriptorOnly"]


@final
class DescriptorOnly(CooperativeScheduler):
    r"""An energy learned against its own chains (Algorithm D).

    - D1: ``revision`` continues every chain under the energy;
    - D2: the energy descends $\frac1n \sum_i E(x_i) - \frac1m \sum_i E(\tilde x_i)$.

    Persistent chains go on where the last iteration left them (the paper's Algorithm D;
    persistent contrastive divergence). Otherwise each iteration starts anew: from data this is
    contrastive divergence, from noise short-run MCMC.

    Args:
        energy: the descriptor.
        revision: the chain on x.
        shape: shape of one example.
        chains: m, the number of chains.
        start: where chains start: ``noise``, N(0, ``noise_std``² I), or ``data``, the images of
            the batch (chain i takes image i modulo the batch size).
        persistent: continue the chains from iteration to iteration.
        noise_std: standard deviation of the starting noise, in the units of x.
        noise_until: leave the noise out of the revision after that many iterations; 0 never does.

    Source: Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408, Algorithm D; Hinton, 2002 (contrastive
    divergence); Tieleman, 2008 (persistent chains); Nijkamp, Hill, Zhu, Wu, 2019, arXiv 1904.09770
    (short-run MCMC).
    """

    energy: Energy
    revision: Chain

    def __init__(
        self,
        energy: Energy,
        revision: Chain,
        shape: tuple[int, ...],
        *,
        chains: Annotated[int, Ge(1)] = 64,
        start: Literal["noise", "data"] = "noise",
        persistent: bool = True,
        noise_std: Annotated[float, Gt(0)] = 1.0,
        noise_until: Annotated[int, Ge(0)] = 0,
    ) -> None:
        super().__init__()
        self.energy = energy
        self.revision = revision
        self.chains = chains
        self.start = start
        self.replay = PersistentChains(chains, shape, restart=0.0 if persistent else 1.0, scale=noise_std)
        self.annealing = NoiseUntil(revision, noise_until)
        former = {"_annealing": "annealing", "samples": "replay.samples", "started": "replay.started"}
        renamed(self, former)

    def updates(self, batch: Batch, *, rng: Rng) -> Updates:
        """D1, then the update D2."""
        data = batch.x if self.start == "data" else None
        proposal, slots, rng = self.replay.start(self.chains, rng=rng, data=data)
        with stage("revision"):
            revised = self.annealing.of(self.revision)(self.energy, proposal, rng=rng.fold("revision"))
        self.replay.keep(slots, revised.x)
        with stage("density_shifting"):
            observed, synthesized = self.energy(batch.x), self.energy(revised.x)
            loss = contrastive(observed, synthesized)
        yield Update("energy", loss, revision_figures(revised, observed=observed, synthesized=synthesized))
        return Examples(batch.x, proposal, revised.x)

    def propose(self, count: int, *, rng: Rng) -> Proposal:
        """The chains as training left them, repeated in turn; noise before any training."""
        return Proposal(self.replay.latest(count, rng=rng))
