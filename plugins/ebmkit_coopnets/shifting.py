r"""Density shifting: how an energy learns from data and revised samples, and what keeps it small."""

from __future__ import annotations

from typing import NamedTuple, final

import attrs
import torch
from torch import Tensor

from ebmkit.core import (
    EnergyFn,
    LossAugmentation,
    Rng,
    augmented,
    brief,
    contrastive_divergence,
    gradient_penalty,
    of_rows,
    pairwise_contrast,
    shared_mean,
)

__all__ = ["DensityShift", "Shift"]


class Shift(NamedTuple):
    """What the energy descends, and the energies it is made of.

    Attributes:
        loss: 0-dim, with its graph.
        observed: energies of the data as they were shown, ``(n,)`` nats; None where the loss saw augmented
            images, so that whoever wants the figure evaluates the images themselves.
        synthesized: of the revised samples, ``(m,)`` nats; None likewise.
    """

    loss: Tensor
    observed: Tensor | None
    synthesized: Tensor | None

    def __repr__(self) -> str:
        return brief(self)


@final
@attrs.frozen
class DensityShift:
    r"""The paper's Step D2 with the usual helps for an energy that has no Gaussian reference, or few data.

    $$L = \frac1n \sum_i E(x_i + \tau \epsilon_i) - \frac1m \sum_j E(\tilde x_j)
    + \lambda \left( \frac1n \sum_i E(x_i + \tau \epsilon_i)^2 + \frac1m \sum_j E(\tilde x_j)^2 \right)
    + \frac{\gamma}{2n} \sum_i \| \nabla_x E(x_i + \tau \epsilon_i) \|^2
    + \frac{\gamma'}{2m} \sum_j \| \nabla_x E(\tilde x_j) \|^2$$

    With ``pairwise`` the loss of all pairs takes the place of the first two means. With augmentation each
    image on both sides is changed anew, by the same law. Without any of it the loss is
    ``contrastive_divergence``, bit for bit.

    Penalties take second derivatives, which cost more than the rest of the loss. With ``penalty_stride`` = k
    their means are over every k-th row alone: a smaller sample of the same law, so that they and their
    gradients are the same on average.

    Args:
        data_noise: τ, standard deviation of the fresh noise on the data, in the units of x; 0 for none.
        energy_l2: λ, in 1 / nats; 0 for none.
        gradient_penalty: γ, in the units of x squared per nat; 0 for none.
        revised_penalty: γ', likewise.
        penalty_stride: k, 1 or more; the penalties see the rows whose number is a multiple of k, in the batch
            of all processes. Of an energy that normalises over rows each part is a batch of its own.
        pairwise: w, the width of ``pairwise_contrast``; 0 for the two means.
        augmentation: of the images that the loss sees; None for none.

    Source: Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408, Step D2; Nijkamp, Hill, Zhu, Wu, 2019, arXiv
    1904.09770 (noise on the data); Du, Mordatch, 2019, arXiv 1903.08689 (squared energies);
    Mescheder, Geiger, Nowozin, 2018, arXiv 1801.04406 (squared gradients: R1 at the data, R2 at the samples);
    Huang, Gokaslan, Kuleshov, Tompkin, 2025, arXiv 2501.05441 (both together).
    """

    data_noise: float = 0.0
    energy_l2: float = 0.0
    gradient_penalty: float = 0.0
    revised_penalty: float = 0.0
    penalty_stride: int = 1
    pairwise: float = 0.0
    augmentation: LossAugmentation | None = None

    def __call__(
        self,
        energy: EnergyFn,
        x: Tensor,
        revised: Tensor,
        *,
        rng: Rng,
        revised_rng: Rng | None = None,
        revised_energy: EnergyFn | None = None,
    ) -> Shift:
        """The loss of ``energy`` on data x ``(n, *S)`` and revised samples ``(m, *S)``.

        Args:
            energy: that learns.
            x: the data.
            revised: the samples, without a graph.
            rng: of the iteration, at the first row of x; drawn from are ``fold_in("data noise")`` and
                ``fold_in("augment observed")``.
            revised_rng: the same at the first row of the revised samples, where that is another; drawn from
                is ``fold_in("augment revised")``.
            revised_energy: of the revised samples, where that is another: of other conditions.

        Raises:
            ConfigError: images are to be augmented, and the examples are none.
        """
        if self.data_noise:
            x = x + self.data_noise * rng.fold_in("data noise").normal(x)
        if self.augmentation:
            x = augmented(x, self.augmentation, rng=rng.fold_in("augment observed"))
            own = (revised_rng or rng).fold_in("augment revised")
            revised = augmented(revised, self.augmentation, rng=own)
        observed, slopes = self._evaluated(energy, x, self.gradient_penalty, rng)
        synthesized, revised_slopes = self._evaluated(
            revised_energy or energy, revised, self.revised_penalty, revised_rng or rng
        )
        loss = self._contrast(observed, synthesized)
        for penalty in (slopes, revised_slopes):
            loss = loss if penalty is None else loss + penalty
        if self.energy_l2:
            squares = shared_mean(observed.square()) + shared_mean(synthesized.square())
            loss = loss + self.energy_l2 * squares
        return Shift(loss, None, None) if self.augmentation else Shift(loss, observed, synthesized)

    def _contrast(self, observed: Tensor, synthesized: Tensor) -> Tensor:
        if self.pairwise:
            return pairwise_contrast(observed, synthesized, width=self.pairwise)
        return contrastive_divergence(observed, synthesized)

    def _evaluated(
        self, energy: EnergyFn, x: Tensor, weight: float, rng: Rng
    ) -> tuple[Tensor, Tensor | None]:
        """E(x), and what its slopes cost; None without a penalty."""
        if not weight:
            return energy(x), None
        rows = torch.arange(len(x), device=x.device)
        seen = (rows + rng.first_chain) % self.penalty_stride == 0
        if seen.all():
            x = _leaf(x)
            energies = energy(x)
            return energies, weight * gradient_penalty(energies, x)
        if not seen.any():  # of this process; others wait for its part of the mean
            return energy(x), weight * shared_mean(x.new_zeros(0))
        penalised, others = rows[seen], rows[~seen]
        steep = _leaf(x[penalised])
        energies = of_rows(energy, penalised)(steep)
        penalty = weight * gradient_penalty(energies, steep)
        both = torch.cat([energies, of_rows(energy, others)(x[others])])
        return both[torch.cat([penalised, others]).argsort()], penalty


def _leaf(x: Tensor) -> Tensor:
    """For slopes: the batch itself stays without a gradient."""
    return x.detach().requires_grad_()
