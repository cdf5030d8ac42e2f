"""Algorithm D: an energy alone, learned by analysis through synthesis."""

from __future__ import annotations

from typing import Annotated, Literal, final

from ebmkit.core import (
    Annealer,
    Annealing,
    Batch,
    Chain,
    CooperativeScheduler,
    Energy,
    Examples,
    Ge,
    Gt,
    LossAugmentation,
    PersistentChains,
    Proposal,
    Rng,
    Update,
    Updates,
    renamed,
    stage,
)
from ebmkit_coopnets.figures import revision_figures
from ebmkit_coopnets.shifting import DensityShift

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
        start: where chains start: ``noise``, N(0, ``noise_std``² I), or ``data``, the examples of
            the batch (chain i takes example i modulo the batch size).
        persistent: continue the chains from iteration to iteration.
        noise_std: standard deviation of the starting noise, in the units of x.
        noise_until: leave the noise out of the revision after that many iterations; 0 never does.
        annealing: factors on the revision's temperature, step size and number of steps, by iteration.
        data_noise: standard deviation of fresh noise on the data that the energy sees, in the units of x;
            0.01 to 0.03 hides the 256 grey levels of photographs, by which they could be told from samples.
        energy_l2: weight of the mean squared energies of data and samples in the energy's loss.
        gradient_penalty: γ, weight of half the mean $\|\nabla_x E(x_i)\|^2$ over the data, in the units of x
            squared per nat; a tenth of the revision's δ² to δ² itself keeps slopes from growing.
        revised_penalty: γ', the same over the revised samples; both together hold what γ alone does not.
        penalty_stride: k, to take both penalties at every k-th image alone: on average the same gradient, for
            a k-th of the time.
        pairwise: w, to weigh each pair of data and samples by how badly the energy tells them apart, over w
            standard deviations of the gaps; 0 weighs all alike, as the likelihood does.
        augmentation: how that loss sees images: both sides shifted, brightened, cut by the same law.

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
        annealing: Annealing | None = None,
        data_noise: Annotated[float, Ge(0)] = 0.0,
        energy_l2: Annotated[float, Ge(0)] = 0.0,
        gradient_penalty: Annotated[float, Ge(0)] = 0.0,
        revised_penalty: Annotated[float, Ge(0)] = 0.0,
        penalty_stride: Annotated[int, Ge(1)] = 1,
        pairwise: Annotated[float, Ge(0)] = 0.0,
        augmentation: LossAugmentation | None = None,
    ) -> None:
        super().__init__()
        self.energy = energy
        self.revision = revision
        self.chains = chains
        self.start = start
        self.replay = PersistentChains(chains, shape, restart=0.0 if persistent else 1.0, scale=noise_std)
        self.annealing = Annealer(revision, annealing, noise_until=noise_until)
        self.shifting = DensityShift(
            data_noise,
            energy_l2,
            gradient_penalty,
            revised_penalty,
            penalty_stride,
            pairwise,
            augmentation,
        )
        former = {"_annealing": "annealing", "samples": "replay.samples", "started": "replay.started"}
        renamed(self, former)

    def updates(self, batch: Batch, *, rng: Rng) -> Updates:
        """D1, then the update D2."""
        data = batch.x if self.start == "data" else None
        proposal, slots, of_chains = self.replay.start(self.chains, rng=rng, data=data)
        with stage("revision"):
            chain = self.annealing.of(self.revision)
            revised = chain(self.energy, proposal, rng=of_chains.fold_in("revision"))
        self.replay.keep(slots, revised.x)
        with stage("density_shifting"):
            shift = self.shifting(self.energy, batch.x, revised.x, rng=rng, revised_rng=of_chains)
        figures = revision_figures(revised, observed=shift.observed, synthesized=shift.synthesized)
        yield Update("energy", shift.loss, figures)
        return Examples(batch.x, proposal, revised.x)

    def sampling_chain(self) -> Chain:
        """The revision as the last iteration ran it."""
        return self.annealing.last(self.revision)

    def propose(self, count: int, *, rng: Rng) -> Proposal:
        """The chains as training left them, repeated in turn; noise before any training."""
        return Proposal(self.replay.latest(count, rng=rng))
