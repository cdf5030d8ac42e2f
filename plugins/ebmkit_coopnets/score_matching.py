"""Denoising score matching: an energy that learns from noisy data, without a chain."""

from __future__ import annotations

from typing import Annotated, final

import torch
from torch import Tensor

from ebmkit.core import (
    Batch,
    Chain,
    Clamped,
    CooperativeScheduler,
    Energy,
    Examples,
    Ge,
    Gt,
    Info,
    Proposal,
    Rng,
    Update,
    Updates,
    denoised,
    evaluating,
    given,
    score_matching,
    shared_mean,
    squared_error,
    stage,
    walk,
)

__all__ = ["ScoreMatching"]


@final
class ScoreMatching(CooperativeScheduler):
    r"""An energy whose gradient points from noisy data back to the data.

    Each example gets noise of a level of its own, $\tilde x_i = x_i + \sigma_i \epsilon_i$ with $\sigma_i$
    uniform between σ = ``noise_std`` and ``noise_high``, and the energy descends

    $$\frac{1}{2n} \sum_i \Big\| \frac{\sigma^2}{\sigma_i} \nabla E(\tilde x_i) - \epsilon_i \Big\|^2$$

    At one level, σ, this is denoising score matching: at its minimum E is, up to a constant, minus the log
    density of the data blurred by N(0, σ² I), and $x - \sigma^2 \nabla E(x)$ is the mean of the data given
    the noisy x (Tweedie). At several, $x - \sigma^2 \nabla E(x)$ denoises at every level, and a chain at
    temperature T moves as on data blurred by σ √T: ``annealed`` from $T_0 = (\sigma_\text{high} / \sigma)^2$
    to 1 makes samples out of noise.

    No chain runs in training, so nothing can run away; ``revision`` makes samples, out of N(0,
    ``start_std``² I). An iteration's sets of examples are the data, the same with noise and denoised.

    ``complete`` shows the known coordinates with the noise of the chain, and denoises what it ends with.

    With a descriptor take ``reference_std`` = σ, so that σ² ∇f is the denoised image, and a smooth
    activation, for the loss sees second derivatives.

    Args:
        energy: the descriptor.
        revision: the chain on x, for samples.
        shape: shape of one example.
        noise_std: σ, in the units of x: the least noise that the energy learns to remove, and the blur of
            what it learns.
        noise_high: the most; 0 means σ, one level.
        start_std: standard deviation of the noise that samples start from, in the units of x.
        denoise: end samples by $x - \sigma^2 \nabla E(x)$, which removes the noise of the chain.

    Raises:
        ValueError: ``noise_high`` is neither 0 nor at least ``noise_std``.

    Source: Vincent, 2011 (one level); Li, Chen, Sommer, 2019, arXiv 1910.07762 (several, one energy for all);
    Saremi, Hyvärinen, 2019, arXiv 1903.02334 (samples that end by denoising).
    """

    energy: Energy
    revision: Chain

    def __init__(
        self,
        energy: Energy,
        revision: Chain,
        shape: tuple[int, ...],
        *,
        noise_std: Annotated[float, Gt(0)] = 0.1,
        noise_high: Annotated[float, Ge(0)] = 0.0,
        start_std: Annotated[float, Gt(0)] = 1.0,
        denoise: bool = True,
    ) -> None:
        super().__init__()
        if noise_high and noise_high < noise_std:
            raise ValueError(f"noise_high must be 0 or at least noise_std = {noise_std}, got {noise_high}")
        self.energy = energy
        self.revision = revision
        self.noise_std = noise_std
        self.noise_high = noise_high or noise_std
        self.start_std = start_std
        self.denoise = denoise
        self._shape = shape

    def updates(self, batch: Batch, *, rng: Rng) -> Updates:
        """The one update, of the energy."""
        x = batch.x
        with stage("score_matching"):
            levels = self._levels(x, rng=rng.fold_in("levels"))
            noise = rng.fold_in("noise").normal(x)
            energy = given(self.energy, batch.condition)
            match = score_matching(energy, x, noise, levels=levels, noise_std=self.noise_std)
        error = shared_mean(squared_error(x, match.denoised) / x[0].numel()).sqrt()
        yield Update("energy", match.loss, {"noise": shared_mean(levels), "denoising_error": error})
        return Examples(x, match.noisy, match.denoised, condition=batch.condition)

    def propose(self, count: int, *, rng: Rng) -> Proposal:
        """Noise."""
        like = next(self.energy.parameters()).new_empty(count, *self._shape)
        return Proposal(self.start_std * rng.fold_in("start").normal(like))

    def sample(self, count: int, *, rng: Rng, steps: int | None = None) -> Examples:
        """Noise, moved by the chain, and denoised in the end."""
        made = super().sample(count, rng=rng, steps=steps)
        if not self.denoise or made.revised is None:
            return made
        return made._replace(revised=denoised(self.energy, made.revised, noise_std=self.noise_std))

    def complete(self, x: Tensor, mask: Tensor, *, rng: Rng, steps: int | None = None) -> Tensor:
        """Hidden coordinates from noise down, those around them with as much noise as the chain has.

        The energy knows examples of one level of noise everywhere. Where nothing is known, x is denoised.
        """
        if not bool((mask > 0).any()):
            return denoised(self.energy, x, noise_std=self.noise_std)
        clean = Clamped(self.energy, x, mask)
        shown = Clamped(self.energy, self._blurred(x, self.noise_high, rng=rng), mask)
        hidden = self.start_std * rng.fold_in("start").normal(x)
        chain = self.revision.walked(steps)
        with torch.no_grad(), evaluating(self.energy):
            for number, (state, info) in enumerate(
                walk(chain.sampler, shown, hidden, rng=rng, steps=chain.steps)
            ):
                hidden = state.x
                level = self.noise_std * _temperature(info) ** 0.5
                shown.observed = self._blurred(x, level, rng=rng.fold_in("shown", number))
        ended = shown.complete(hidden)
        return clean.complete(denoised(self.energy, ended, noise_std=self.noise_std))

    def _blurred(self, x: Tensor, level: float, *, rng: Rng) -> Tensor:
        return x + level * rng.fold_in("blur").normal(x)

    def _levels(self, x: Tensor, *, rng: Rng) -> Tensor:
        """σ of each example, ``(n,)``."""
        luck = rng.uniform(x.new_empty(len(x)))
        return self.noise_std + (self.noise_high - self.noise_std) * luck


def _temperature(info: Info) -> float:
    """Of the step, where its sampler tells; 1 is the energy's own."""
    told = info.get("temperature")
    return 1.0 if told is None else float(told.double().mean())
