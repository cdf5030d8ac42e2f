"""Algorithm CoopNets: descriptor and generator teach each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, final

import torch
from torch import Tensor

from ebmkit.core import (
    Annealer,
    Annealing,
    Batch,
    Chain,
    ConditionalGenerator,
    CooperativeScheduler,
    Energy,
    Examples,
    Ge,
    LatentGenerator,
    LossAugmentation,
    Proposal,
    Rng,
    Update,
    Updates,
    gather,
    given,
    reconstruction_loss,
    renamed,
    shard,
    stage,
)
from ebmkit_coopnets.bank import Bank
from ebmkit_coopnets.figures import revision_figures
from ebmkit_coopnets.shifting import DensityShift

__all__ = ["CoopNets"]


@final
class CoopNets(CooperativeScheduler):
    r"""Cooperative training of a descriptor and a generator (Algorithm CoopNets).

    One iteration, in the paper's order:

    - G0 generation: $\hat z_i \sim N(0, I)$, $\hat x_i = g(\hat z_i)$, i = 1..m;
    - D1 revision: ``revision`` moves each $\hat x_i$ under the energy to $\tilde x_i$;
    - G1 inference: ``inference`` moves the latents from $\hat z_i$ towards
      $p(z | \tilde x_i)$. Without it, or with 0 steps, the latents are known:
      $z_i = \hat z_i$ (the paper's simple version, which its experiments use);
    - D2 density shifting: the energy descends
      $\frac1n \sum_i E(x_i) - \frac1m \sum_i E(\tilde x_i)$;
    - G2 reconstruction: the generator descends
      $\frac1m \sum_i \|\tilde x_i - g(z_i)\|^2 / 2\sigma^2$, ``generator_updates`` times.

    The observed data never reach the generator: it learns from the revised samples alone. With
    known latents the graph of G0 serves the first G2, which saves one forward pass and keeps what the
    generator's layers gave (1.5 MB for each 64x64 image in fp32) while the chain walks.

    With a ``bank`` the pairs $(z_i, \tilde x_i)$ go into slots at random, and G2 fits the pairs that were in
    these before: those of some N / m iterations ago on average. The generator so learns from many
    descriptors, not from the newest alone. The bank is saved with the model.

    Of data with conditions, such as classes, the m proposals take those of the batch in turn, and parts that
    depend on a condition learn from examples and proposals with their own; nothing else changes.

    Args:
        energy: the descriptor.
        generator: the generator.
        revision: the chain on x.
        inference: the chain on z; none means the latents are known.
        shape: of one example; needed where there is a bank.
        chains: m, the number of proposals per iteration; 0 means as many as the batch has examples.
        generator_updates: K, how often G2 is taken in one iteration.
        proposal_noise: add $\sigma \epsilon$ to the proposals, as the paper writes G0; the
            published code leaves it out.
        noise_until: leave the noise out of the revision after that many iterations; 0 never does.
        bank: N, how many pairs are kept for G2, m or more; 0 fits the newest.
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

    Raises:
        ValueError: a bank of fewer pairs than chains, or without the shape of an example.

    Source: Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408, Algorithm CoopNets; the bank: Hill, Nijkamp,
    Mitchell, Pang, Zhu, 2022, arXiv 2210.16486 (Hat EBM).
    """

    energy: Energy
    generator: LatentGenerator
    revision: Chain

    def __init__(
        self,
        energy: Energy,
        generator: LatentGenerator,
        revision: Chain,
        inference: Chain | None = None,
        shape: tuple[int, ...] | None = None,
        *,
        chains: Annotated[int, Ge(0)] = 0,
        generator_updates: Annotated[int, Ge(1)] = 1,
        proposal_noise: bool = False,
        noise_until: Annotated[int, Ge(0)] = 0,
        bank: Annotated[int, Ge(0)] = 0,
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
        if 0 < bank < chains:
            raise ValueError(f"a bank of {bank} pairs is too small for {chains} chains: each takes a slot")
        self.energy = energy
        self.generator = generator
        self.revision = revision
        self.inference = inference
        self.chains = chains
        self.generator_updates = generator_updates
        self.proposal_noise = proposal_noise
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
        self.bank = _bank(bank, generator, shape)
        renamed(self, {"_annealing": "annealing"})

    def updates(self, batch: Batch, *, rng: Rng) -> Updates:
        """G0, D1, G1, then the updates D2 and G2."""
        chains = self.chains or len(gather(batch.positions))
        of_batch, (count, rng) = rng, shard(chains, rng)
        condition = _of_chains(batch.condition, count, rng.first_chain)
        energy, generator = given(self.energy, condition), given(self.generator, condition)
        with stage("generation"):
            known, generated, proposal = self._generate(generator, count, rng)
        with stage("revision"):
            revised = self.annealing.of(self.revision)(energy, proposal, rng=rng.fold_in("revision"))
        with stage("inference"):
            latents = self._infer(generator, revised.x, known, rng)
        with stage("density_shifting"):
            of_data = given(self.energy, batch.condition)
            shift = self.shifting(
                of_data, batch.x, revised.x, rng=of_batch, revised_rng=rng, revised_energy=energy
            )
        figures = revision_figures(revised, observed=shift.observed, synthesized=shift.synthesized)
        yield Update("energy", shift.loss, figures)
        graph = generated if latents is known and self.bank is None else None
        fitted = (latents, revised.x)
        if self.bank is not None:
            fitted = self.bank.exchange(chains, *fitted, rng=rng.fold_in("bank"))
        for loss in self._reconstructions(generator, *fitted, graph):
            yield Update("generator", loss)
        return Examples(batch.x, proposal, revised.x, latents, condition)

    def sampling_chain(self) -> Chain:
        """The revision as the last iteration ran it."""
        return self.annealing.last(self.revision)

    def propose(self, count: int, *, rng: Rng) -> Proposal:
        """Ancestral samples of the generator: G0 alone."""
        z, _, proposal = self._generate(self.generator, count, rng)
        return Proposal(proposal, z)

    def _generate(self, generator: LatentGenerator, count: int, rng: Rng) -> tuple[Tensor, Tensor, Tensor]:
        """G0: the latents, g of them with its graph, and the proposals without."""
        z = generator.prior(count, rng=rng.fold_in("prior"))
        generated = generator(z)
        proposal = generated.detach().to(z.dtype)  # bfloat16 under the precision of that name
        if self.proposal_noise:
            noise = rng.fold_in("proposal noise").normal(proposal)
            proposal = proposal + generator.noise_std * noise
        return z, generated, proposal

    def _infer(self, generator: LatentGenerator, revised: Tensor, known: Tensor, rng: Rng) -> Tensor:
        """G1: the latents that explain the revised samples, starting from the known ones."""
        if self.inference is None or self.inference.steps == 0:
            return known
        return self.inference(generator.posterior(revised), known, rng=rng.fold_in("inference")).x

    def _reconstructions(
        self, generator: LatentGenerator, latents: Tensor, revised: Tensor, graph: Tensor | None
    ) -> Iterator[Tensor]:
        """The losses of G2, each under the generator as the last one left it."""
        for turn in range(self.generator_updates):
            with stage("reconstruction"):
                reconstructed = graph if turn == 0 and graph is not None else generator(latents)
                loss = reconstruction_loss(revised, reconstructed, noise_std=generator.noise_std)
            yield loss


def _bank(slots: int, generator: LatentGenerator, shape: tuple[int, ...] | None) -> Bank | None:
    """The bank of that many pairs; none of 0."""
    if not slots:
        return None
    if isinstance(generator, ConditionalGenerator):
        what = "its pairs are kept without conditions, which this generator needs"
        raise ValueError(f"bank = {slots}: {what}")  # noqa: TRY004 - a setting that is refused
    if shape is None:
        raise ValueError(f"bank = {slots} needs the shape of the examples")
    return Bank(slots, generator.latent_shape, shape)


def _of_chains(condition: Tensor | None, count: int, first: int) -> Tensor | None:
    """The conditions of chains ``first`` .. ``first + count`` - 1: those of the whole batch in turn."""
    if condition is None:
        return None
    whole = gather(condition)
    return whole[torch.arange(first, first + count, device=whole.device) % len(whole)]
