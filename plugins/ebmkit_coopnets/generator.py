"""Algorithm G: a generator alone, learned by alternating back-propagation."""

from __future__ import annotations

from typing import Annotated, final

import torch
from torch import Tensor

from ebmkit.core import (
    Batch,
    Chain,
    CooperativeScheduler,
    Examples,
    Ge,
    LatentGenerator,
    Proposal,
    Rng,
    Update,
    Updates,
    reconstruction,
    stage,
)

__all__ = ["GeneratorOnly"]


@final
class GeneratorOnly(CooperativeScheduler):
    r"""Alternating back-propagation (Algorithm G): every training image keeps its own latents.

    - G1: ``inference`` continues the latents of the batch's images towards
      $p(z | x_i) \propto \exp(-\|x_i - g(z)\|^2 / 2\sigma^2 - \|z\|^2 / 2)$;
    - G2: the generator descends $\frac1n \sum_i \|x_i - g(z_i)\|^2 / 2\sigma^2$,
      ``generator_updates`` times.

    The latents of all images start from N(0, I) and persist; they are saved with the model.
    Inference evaluates the generator in eval mode, so a batch normalisation uses its running
    statistics there and images do not influence each other's latents.

    Args:
        generator: the generator.
        inference: the chain on z.
        examples: how many images the data have.
        generator_updates: K, how often G2 is taken in one iteration.

    Source: Han, Lu, Zhu, Wu, 2016, arXiv 1606.08571; Algorithm G of Xie, Lu, Gao, Zhu, Wu, 2016,
    arXiv 1609.09408.
    """

    latents: Tensor
    started: Tensor

    def __init__(
        self,
        generator: LatentGenerator,
        inference: Chain,
        examples: int,
        *,
        generator_updates: Annotated[int, Ge(1)] = 1,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.inference = inference
        self.generator_updates = generator_updates
        self.register_buffer("latents", torch.zeros(examples, *generator.latent_shape))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def updates(self, batch: Batch, *, rng: Rng) -> Updates:
        """G1, then the updates G2."""
        if not self.started:
            self.latents.copy_(rng.fold("latents").normal(self.latents))
            self.started.fill_(True)
        with stage("inference"):
            posterior = self.generator.posterior(batch.x)
            inferred = self.inference(posterior, self.latents[batch.positions], rng=rng.fold("inference"))
        self.latents[batch.positions] = inferred.x
        stats = {f"inference_{name}": value for name, value in inferred.stats.items()}
        stats["latent_std"] = inferred.x.std(correction=0)
        for _ in range(self.generator_updates):
            with stage("reconstruction"):
                reconstructed = self.generator(inferred.x)
                loss = reconstruction(batch.x, reconstructed, noise_std=self.generator.noise_std)
            yield Update("generator", loss, stats)
        return Examples(observed=batch.x, latents=inferred.x)

    def propose(self, count: int, *, rng: Rng) -> Proposal:
        """Ancestral samples of the generator."""
        z = self.generator.prior(count, rng=rng.fold("prior"))
        return Proposal(self.generator(z), z)
