"""Persistent contrastive divergence with a replay buffer."""

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
    Le,
    LossAugmentation,
    PersistentChains,
    Proposal,
    Rng,
    Update,
    Updates,
    stage,
)
from ebmkit_coopnets.augmenting import Augmentation
from ebmkit_coopnets.figures import revision_figures
from ebmkit_coopnets.shifting import DensityShift

__all__ = ["Replay"]


@final
class Replay(CooperativeScheduler):
    r"""An energy learned against chains from a buffer that is much larger than a batch.

    - D1: ``chains`` of the ``slots`` are drawn, none twice; each that keeps nothing yet, and any other with
      probability ``restart``, starts anew; what was drawn is augmented; ``revision`` moves it under the
      energy to $\tilde x_j$, and it goes back to the slot it came from;
    - D2: with $x_i' = x_i + \tau \epsilon_i$ the energy descends

    $$\frac1n \sum_i E(x_i') - \frac1m \sum_j E(\tilde x_j)
    + \lambda \left( \frac1n \sum_i E(x_i')^2 + \frac1m \sum_j E(\tilde x_j)^2 \right)$$

    A chain so lives for about 1 / ``restart`` turns of ``revision``. Few slots and a small ``restart``
    let all of them end alike; augmentation lets them go from one mode to another. The buffer is saved with
    the model, four bytes a number: 1,000 images of 3x64x64 are 49 MB.

    With as many slots as chains and ``restart = 0`` this is the persistent ``descriptor-only``.

    Args:
        energy: the descriptor.
        revision: the chain on x.
        shape: shape of one example.
        slots: size of the buffer.
        chains: m, how many of the slots an iteration moves on.
        restart: probability that a chain starts anew when it is drawn.
        start: where chains start anew: ``noise``, or ``data``, the examples of the batch.
        noise: law of the starting noise: ``uniform`` between -``noise_scale`` and ``noise_scale``, or
            ``normal``, N(0, ``noise_scale``² I).
        noise_scale: in the units of x.
        mirror: turn what is drawn left and right with probability 1/2.
        shift: move it by up to so many pixels in both directions.
        brightness: brighten or darken it by up to this, in the units of x.
        data_noise: τ, standard deviation of fresh noise on the data, in the units of x.
        energy_l2: λ, weight of the squared energies; 0.1 to 1 where nothing else keeps them small.
        noise_until: leave the noise out of the revision after that many iterations; 0 never does.
        annealing: factors on the revision's temperature, step size and number of steps, by iteration.
        gradient_penalty: γ, weight of half the mean $\|\nabla_x E(x_i)\|^2$ over the data, in the units of x
            squared per nat; a tenth of the revision's δ² to δ² itself keeps slopes from growing.
        revised_penalty: γ', the same over the revised samples; both together hold what γ alone does not.
        penalty_stride: k, to take both penalties at every k-th image alone: on average the same gradient, for
            a k-th of the time.
        pairwise: w, to weigh each pair of data and samples by how badly the energy tells them apart, over w
            standard deviations of the gaps; 0 weighs all alike, as the likelihood does.
        augmentation: how the energy's loss sees images: both sides shifted, brightened, cut by the same law.

    Raises:
        ValueError: fewer slots than chains, or a ``mirror`` or ``shift`` of what is no image.

    Source: Tieleman, 2008 (persistent chains); Du, Mordatch, 2019, arXiv 1903.08689 (the buffer, squared
    energies); Du, Li, Tenenbaum, Mordatch, 2020, arXiv 2012.01316 (augmentation of what is drawn); Nijkamp,
    Hill, Han, Zhu, Wu, 2019, arXiv 1903.12370 (noise on the data).
    """

    energy: Energy
    revision: Chain

    def __init__(
        self,
        energy: Energy,
        revision: Chain,
        shape: tuple[int, ...],
        *,
        slots: Annotated[int, Ge(1)] = 1000,
        chains: Annotated[int, Ge(1)] = 32,
        restart: Annotated[float, Ge(0), Le(1)] = 0.05,
        start: Literal["noise", "data"] = "noise",
        noise: Literal["uniform", "normal"] = "uniform",
        noise_scale: Annotated[float, Gt(0)] = 1.0,
        mirror: bool = False,
        shift: Annotated[int, Ge(0)] = 0,
        brightness: Annotated[float, Ge(0)] = 0.0,
        data_noise: Annotated[float, Ge(0)] = 0.0,
        energy_l2: Annotated[float, Ge(0)] = 0.0,
        gradient_penalty: Annotated[float, Ge(0)] = 0.0,
        revised_penalty: Annotated[float, Ge(0)] = 0.0,
        penalty_stride: Annotated[int, Ge(1)] = 1,
        pairwise: Annotated[float, Ge(0)] = 0.0,
        noise_until: Annotated[int, Ge(0)] = 0,
        annealing: Annealing | None = None,
        augmentation: LossAugmentation | None = None,
    ) -> None:
        super().__init__()
        if chains > slots:
            raise ValueError(f"{chains} chains need as many slots, and there are {slots}")
        self.energy = energy
        self.revision = revision
        self.chains = chains
        self.start = start
        self.replay = PersistentChains(slots, shape, restart=restart, noise=noise, scale=noise_scale)
        self.annealing = Annealer(revision, annealing, noise_until=noise_until)
        self.drawn = Augmentation(shape, mirror, shift, brightness)
        self.shifting = DensityShift(
            data_noise,
            energy_l2,
            gradient_penalty,
            revised_penalty,
            penalty_stride,
            pairwise,
            augmentation,
        )

    def updates(self, batch: Batch, *, rng: Rng) -> Updates:
        """D1, then the update D2."""
        data = batch.x if self.start == "data" else None
        drawn, slots, of_chains = self.replay.start(self.chains, rng=rng, data=data)
        proposal = self.drawn(drawn, rng=of_chains.fold_in("augmentation"))
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
        """What the buffer keeps, from its first slot on and in turn; noise for slots without anything."""
        return Proposal(self.replay.latest(count, rng=rng))
