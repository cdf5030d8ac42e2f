"""Algorithm G: a generator alone, learned by alternating back-propagation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias, final

import torch
from torch import Tensor

from ebmkit.core import (
    Batch,
    Chain,
    CooperativeScheduler,
    Examples,
    Ge,
    LatentGenerator,
    Lt,
    Proposal,
    Rng,
    Update,
    Updates,
    gather,
    given,
    reconstruction_loss,
    speckle_masks,
    square_masks,
    stage,
)

__all__ = ["GeneratorOnly"]

Hidden: TypeAlias = Literal["none", "square", "speckle"]


@final
class GeneratorOnly(CooperativeScheduler):
    r"""Alternating back-propagation (Algorithm G): every training example keeps its own latents.

    - G1: ``inference`` continues the latents of the batch's examples towards
      $p(z | x_i) \propto \exp(-\|x_i - g(z)\|^2 / 2\sigma^2 - \|z\|^2 / 2)$;
    - G2: the generator descends $\frac1n \sum_i \|x_i - g(z_i)\|^2 / 2\sigma^2$,
      ``generator_updates`` times.

    The latents of all examples start from N(0, I) and persist; they are saved with the model.
    Inference evaluates the generator in eval mode, so a batch normalisation uses its running
    statistics there and examples do not influence each other's latents.

    Learning from incomplete data: with ``hidden`` every example has coordinates of its own that are never
    looked at, neither by inference nor by learning; the sums run over the others. The metrics still
    compare with whole examples, so that the reconstruction of what was hidden shows.

    Args:
        generator: the generator.
        inference: the chain on z.
        examples: how many examples the data have.
        shape: of one example; needed where something is hidden.
        generator_updates: K, how often G2 is taken in one iteration.
        hidden: ``none``, ``square``, one at a random place of each image, or ``speckle``, pixels or
            coordinates at random.
        hidden_size: side of the square, in pixels.
        hidden_share: probability that a pixel or coordinate is hidden by speckle.

    Raises:
        ValueError: the square does not fit into the image, or the examples are no images.

    Source: Han, Lu, Zhu, Wu, 2016, arXiv 1606.08571; Algorithm G of Xie, Lu, Gao, Zhu, Wu, 2016,
    arXiv 1609.09408.
    """

    generator: LatentGenerator
    inference: Chain
    latents: Tensor
    masks: Tensor | None
    started: Tensor

    def __init__(
        self,
        generator: LatentGenerator,
        inference: Chain,
        examples: int,
        shape: tuple[int, ...] | None = None,
        *,
        generator_updates: Annotated[int, Ge(1)] = 1,
        hidden: Hidden = "none",
        hidden_size: Annotated[int, Ge(1)] = 20,
        hidden_share: Annotated[float, Ge(0), Lt(1)] = 0.3,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.inference = inference
        self.generator_updates = generator_updates
        self.register_buffer("latents", torch.zeros(examples, *generator.latent_shape))
        self._draw_masks = _mask_maker(hidden, hidden_size, hidden_share, examples, shape)
        masks = None if self._draw_masks is None else self._draw_masks(Rng(0))
        self.register_buffer("masks", masks)
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def updates(self, batch: Batch, *, rng: Rng) -> Updates:
        """G1, then the updates G2."""
        if not self.started:
            whole = rng.of_chain(0)
            self.latents.copy_(whole.fold_in("latents").normal(self.latents))
            if self.masks is not None and self._draw_masks is not None:
                self.masks.copy_(self._draw_masks(whole.fold_in("masks")))
            self.started.fill_(True)
        mask = None if self.masks is None else self.masks[batch.positions]
        generator = given(self.generator, batch.condition)
        with stage("inference"):
            posterior = generator.posterior(batch.x, mask=mask)
            inferred = self.inference(posterior, self.latents[batch.positions], rng=rng.fold_in("inference"))
        self.latents[gather(batch.positions)] = latents = gather(inferred.x)
        stats = {f"inference_{name}": value for name, value in inferred.stats.items()}
        stats["latent_std"] = latents.std(correction=0)
        for _ in range(self.generator_updates):
            with stage("reconstruction"):
                reconstructed = generator(inferred.x)
                loss = reconstruction_loss(batch.x, reconstructed, noise_std=generator.noise_std, mask=mask)
            yield Update("generator", loss, stats)
        return Examples(observed=batch.x, latents=inferred.x, condition=batch.condition)

    def propose(self, count: int, *, rng: Rng) -> Proposal:
        """Ancestral samples of the generator."""
        z = self.generator.prior(count, rng=rng.fold_in("prior"))
        return Proposal(self.generator(z), z)


def _mask_maker(
    hidden: Hidden, size: int, share: float, examples: int, shape: tuple[int, ...] | None
) -> Callable[[Rng], Tensor] | None:
    """The function that draws the masks of all examples; None where nothing is hidden."""
    if hidden == "none":
        return None
    if shape is None:
        raise ValueError(f"hidden = {hidden!r} needs the shape of the examples")
    if hidden == "square":
        return lambda rng: square_masks(examples, shape, size=size, rng=rng)
    return lambda rng: speckle_masks(examples, shape, hidden=share, rng=rng)
