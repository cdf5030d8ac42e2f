"""Pairs of latents and revised samples from earlier iterations, for a generator to learn from."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from ebmkit.core import PersistentChains, Rng

__all__ = ["Bank"]


@final
class Bank(nn.Module):
    r"""Slots, each of which keeps a pair $(z, \tilde x)$ until another one takes its place.

    Args:
        slots: N, how many pairs are kept.
        latent_shape: L of one z.
        shape: S of one example.

    Attributes:
        latents: z of each slot.
        samples: $\tilde x$ of each slot.

    Source: Hill, Nijkamp, Mitchell, Pang, Zhu, 2022, arXiv 2210.16486 (Hat EBM; 10,000 pairs in the
    published code).
    """

    def __init__(self, slots: int, latent_shape: tuple[int, ...], shape: tuple[int, ...]) -> None:
        super().__init__()
        self.latents = PersistentChains(slots, latent_shape)
        self.samples = PersistentChains(slots, shape)

    def exchange(self, count: int, z: Tensor, x: Tensor, *, rng: Rng) -> tuple[Tensor, Tensor]:
        """Hand in ``count`` pairs for as many old ones, whose slots they take.

        A slot that keeps nothing yet gives the new pair itself.

        Args:
            count: of the pairs of all processes together, <= N.
            z: this process's part, ``(m, *L)``.
            x: the same of the samples, ``(m, *S)``.
            rng: of the iteration; which slots are taken is drawn from ``rng.fold_in("slots")``.

        Returns:
            z and x of old pairs, from slots at random, none twice; this process's part.
        """
        taken = [
            (kept, new, kept.start(count, rng=rng, data=new))
            for kept, new in ((self.latents, z), (self.samples, x))
        ]
        for kept, new, start in taken:
            kept.keep(start.slots, new)
        (_, _, old_z), (_, _, old_x) = taken
        return old_z.x, old_x.x
