"""Dual teaching without an encoder: the generator learns from revised samples and from data."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated, NamedTuple, final

import torch
from torch import Tensor

from ebmkit.core import (
    Annealer,
    Annealing,
    Batch,
    Chain,
    CooperativeScheduler,
    Energy,
    Examples,
    Ge,
    LatentGenerator,
    LossAugmentation,
    Proposal,
    Rng,
    Samples,
    Update,
    Updates,
    brief,
    evaluating,
    gather,
    newly_annealed,
    reconstruction_loss,
    shard,
    shared_mean,
    squared_error,
    stage,
)
from ebmkit_coopnets.figures import revision_figures
from ebmkit_coopnets.latents import ImageLatents
from ebmkit_coopnets.shifting import DensityShift

__all__ = ["Dual"]


class _Generated(NamedTuple):
    """G0: the latents, g of them with its graph (none at weight 0), and the proposals without."""

    z: Tensor
    x: Tensor
    proposal: Tensor

    def __repr__(self) -> str:
        return brief(self)


@final
class Dual(CooperativeScheduler):
    r"""CoopNets and alternating back-propagation at once: the generator has two teachers.

    One iteration:

    - G0 generation: $\hat z_j \sim N(0, I)$, $\hat x_j = g(\hat z_j)$, j = 1..m;
    - D1 revision: ``revision`` moves each $\hat x_j$ under the energy to $\tilde x_j$;
    - G1 inference: ``inference`` continues the latents $z_i$ that each example of the batch keeps, towards
      $p(z | x_i) \propto \exp(-\|x_i - g(z)\|^2 / 2\sigma^2 - \|z\|^2 / 2)$;
    - D2 density shifting: the energy descends $\frac1n \sum_i E(x_i) - \frac1m \sum_j E(\tilde x_j)$;
    - G2 reconstruction: the generator descends, S being ``revised_weight``,

    $$\frac{S}{m} \sum_j \frac{\|\tilde x_j - g(\hat z_j)\|^2}{2\sigma^2}
    + \frac1n \sum_i \frac{\|x_i - g(z_i)\|^2}{2\sigma^2}$$

    With S = 0 the generator learns as in ``generator-only``; the larger S, the more as in ``coopnets``.
    The examples' latents see the data alone, never a revised sample. They start from N(0, I), persist, and
    are saved with the model. The published method has an encoder, which proposes these latents; it also
    revises anew for D2, by the generator as G2 left it.

    With S = 0 the proposals are made as ``ebmkit sample`` makes them: a batch normalisation uses its
    running statistics. Otherwise both terms of G2 move these.

    Args:
        energy: the descriptor.
        generator: the generator.
        revision: the chain on x.
        inference: the chain on the latents of the data.
        examples: how many examples the data have.
        chains: m, the number of proposals per iteration; 0 means as many as the batch has examples.
        revised_weight: S, weight of the revised samples beside the data; 50 and 70 in the published code.
        noise_until: leave the noise out of the revision after that many iterations; 0 never does.
        annealing: factors on the revision's temperature, step size and number of steps, by iteration.
        data_noise: standard deviation of fresh noise on the data that the energy sees, in the units of x.
        energy_l2: weight of the mean squared energies of data and samples in the energy's loss.
        gradient_penalty: γ, weight of half the mean $\|\nabla_x E(x_i)\|^2$ over the data, in the units of x
            squared per nat; a tenth of the revision's δ² to δ² itself keeps slopes from growing.
        revised_penalty: γ', the same over the revised samples; both together hold what γ alone does not.
        penalty_stride: k, to take both penalties at every k-th image alone: on average the same gradient, for
            a k-th of the time.
        pairwise: w, to weigh each pair of data and samples by how badly the energy tells them apart, over w
            standard deviations of the gaps; 0 weighs all alike, as the likelihood does.
        augmentation: how that loss sees images: both sides shifted, brightened, cut by the same law.

    Source: Cui, Han, 2023, arXiv 2312.02469 (dual-MCMC teaching); Han, Lu, Zhu, Wu, 2016, arXiv 1606.08571
    (latents of each example); Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408.
    """

    energy: Energy
    generator: LatentGenerator
    revision: Chain
    inference: Chain

    def __init__(
        self,
        energy: Energy,
        generator: LatentGenerator,
        revision: Chain,
        inference: Chain,
        examples: int,
        *,
        chains: Annotated[int, Ge(0)] = 0,
        revised_weight: Annotated[float, Ge(0)] = 1.0,
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
        self.generator = generator
        self.revision = revision
        self.inference = inference
        self.latents = ImageLatents(examples, generator.latent_shape)
        self.chains = chains
        self.revised_weight = revised_weight
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
        newly_annealed(self)

    def updates(self, batch: Batch, *, rng: Rng) -> Updates:
        """G0, D1, G1, then the updates D2 and G2."""
        count, of_chains = shard(self.chains or len(gather(batch.positions)), rng)
        with stage("generation"):
            made = self._generate(count, of_chains)
        with stage("revision"):
            chain = self.annealing.of(self.revision)
            revised = chain(self.energy, made.proposal, rng=of_chains.fold_in("revision"))
        with stage("inference"):
            inferred = self._infer(batch, rng)
        with stage("density_shifting"):
            shift = self.shifting(self.energy, batch.x, revised.x, rng=rng, revised_rng=of_chains)
        figures = revision_figures(revised, observed=shift.observed, synthesized=shift.synthesized)
        yield Update("energy", shift.loss, figures)
        with stage("reconstruction"):
            reconstructed = self.generator(inferred.x)
            loss = self._reconstruction(batch.x, reconstructed, revised.x, made.x)
        yield Update("generator", loss, _inference_figures(inferred, batch.x, reconstructed))
        return Examples(batch.x, made.proposal, revised.x, made.z)

    def sampling_chain(self) -> Chain:
        """The revision as the last iteration ran it."""
        return self.annealing.last(self.revision)

    def propose(self, count: int, *, rng: Rng) -> Proposal:
        """Ancestral samples of the generator: G0 alone."""
        made = self._generate(count, rng)
        return Proposal(made.proposal, made.z)

    def _generate(self, count: int, rng: Rng) -> _Generated:
        z = self.generator.prior(count, rng=rng.fold_in("prior"))
        with ExitStack() as taught_by_data_alone:
            if not self.revised_weight:
                taught_by_data_alone.enter_context(torch.no_grad())
                taught_by_data_alone.enter_context(evaluating(self.generator))
            x = self.generator(z)
        return _Generated(z, x, x.detach().to(z.dtype))  # bfloat16 under the precision of that name

    def _infer(self, batch: Batch, rng: Rng) -> Samples:
        """G1: the latents of the batch's examples, moved on and kept."""
        start = self.latents.of(batch.positions, rng=rng)
        inferred = self.inference(self.generator.posterior(batch.x), start, rng=rng.fold_in("inference"))
        self.latents.keep(batch.positions, inferred.x)
        return inferred

    def _reconstruction(self, x: Tensor, of_x: Tensor, revised: Tensor, of_revised: Tensor) -> Tensor:
        """The loss of G2 by both teachers."""
        std = self.generator.noise_std
        loss = reconstruction_loss(x, of_x, noise_std=std)
        if self.revised_weight:
            loss = loss + self.revised_weight * reconstruction_loss(revised, of_revised, noise_std=std)
        return loss


def _inference_figures(inferred: Samples, x: Tensor, reconstructed: Tensor) -> dict[str, Tensor]:
    """The stats of the inference, the spread of the latents, and how far g(z) is from the data."""
    figures = {f"inference_{name}": value for name, value in inferred.stats.items()}
    figures["latent_std"] = gather(inferred.x).std(correction=0)
    error = shared_mean(squared_error(x, reconstructed.detach())) / x[0].numel()
    return {**figures, "observed_error": error.sqrt()}
