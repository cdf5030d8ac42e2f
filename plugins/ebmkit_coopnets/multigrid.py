"""Energies on several grids: chains run from coarse to fine, each grid learns from its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, TypeAlias, cast, final

import attrs
import torch
from torch import Tensor, nn

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
    LatentGenerator,
    LossAugmentation,
    Proposal,
    Rng,
    Samples,
    Update,
    Updates,
    brief,
    gather,
    newly_annealed,
    reconstruction_loss,
    shard,
    stage,
)
from ebmkit_coopnets.colours import MeanColours
from ebmkit_coopnets.figures import revision_figures
from ebmkit_coopnets.grids import chain_of_each, sizes_of
from ebmkit_coopnets.resizing import Enlarge, enlarge, shrink
from ebmkit_coopnets.shifting import DensityShift

if TYPE_CHECKING:
    from ebmkit.testing import SchedulerClaims

__all__ = ["MultiGrid"]

Origin: TypeAlias = Literal["colours", "data", "noise"]


class _Begin(NamedTuple):
    """Where the chains of the coarsest grid come from.

    Attributes:
        x: their images before they are brought to that grid.
        z: latents, where a generator proposes.
        made: g(z) with its graph.
    """

    x: Tensor
    z: Tensor | None = None
    made: Tensor | None = None

    def __repr__(self) -> str:
        return brief(self)


@final
class MultiGrid(CooperativeScheduler):
    r"""Coarse to fine: every grid has an energy of its own, whose chains start from the next coarser one's.

    With $P_s$ for the means over the cells of grid s, and U for the way to the next finer grid
    ($P U x = x$), one iteration takes s from the coarsest grid to that of the data:

    - D1 revision: the chain on $E_s$ moves $U \tilde x_{s-1}$ to $\tilde x_s$; the coarsest one starts from
      images of one colour each;
    - D2 density shifting: $E_s$ descends $\frac1n \sum_i E_s(P_s x_i) - \frac1m \sum_j E_s(\tilde x_{s,j})$.

    All grids learn in the same iteration, and nothing from each other. Samples are drawn from scratch in
    the same way. What is global is settled where pixels are few: a step on a grid of half the side costs a
    quarter.

    With a ``generator`` its proposals $\hat x = g(z)$ take the place of the colours. The chains then revise
    them from coarse to fine: that of grid s starts from $U \tilde x_{s-1} + P_s \hat x - U P_{s-1} \hat x$,
    the revised coarse image with the details of the proposal, and the generator descends
    $\frac1m \sum_j \|\tilde x_j - g(z_j)\|^2 / 2\sigma^2$ on the finest grid. With one grid that is
    ``coopnets``; without a generator, one grid that starts from noise is ``descriptor-only``.

    Args:
        grids: ``[grids.16]`` is the energy of images 16 pixels high; one has to be that of the data, and each
            has to divide the next finer one.
        revision: the chain on x.
        shape: (C, H, W) of the images.
        generator: makes proposals of the data's size; none starts from scratch.
        revisions: ``[revisions.16]`` is the chain of that grid instead.
        chains: m, the number of chains.
        start: without a generator, the colours to start from: ``colours``, drawn from the normal law that is
            fitted to the mean colours of the data; ``data``, those of the batch's images, as the published
            code does (new samples start from the fit); or ``noise``, N(0, ``noise_std``²) in each pixel of
            the coarsest grid.
        noise_std: standard deviation of the starting noise, in the units of x.
        enlarge: U, ``nearest`` or ``bilinear``, which keeps the means of the cells too.
        noise_until: leave the noise out of all chains after that many iterations; 0 never does.
        annealing: factors on every chain's temperature, step size and number of steps, by iteration.
        data_noise: standard deviation of fresh noise on the data that each energy sees, in the units of x.
        energy_l2: weight of the mean squared energies of data and samples in each energy's loss.
        gradient_penalty: γ, weight of half the mean $\|\nabla_x E(x_i)\|^2$ over the data, in the units of x
            squared per nat; a tenth of the revision's δ² to δ² itself keeps slopes from growing.
        revised_penalty: γ', the same over the revised samples; both together hold what γ alone does not.
        penalty_stride: k, to take both penalties at every k-th image alone: on average the same gradient, for
            a k-th of the time.
        pairwise: w, to weigh each pair of data and samples by how badly the energy tells them apart, over w
            standard deviations of the gaps; 0 weighs all alike, as the likelihood does.
        augmentation: how these losses see images: both sides shifted, brightened, cut by the same law. Its
            ``translation`` is in pixels of the data, and on coarser grids in proportion.

    Raises:
        ValueError: the examples are no images, or the grids do not fit them or each other.

    Source: Gao, Lu, Zhou, Zhu, Wu, 2018, arXiv 1709.08868 (multi-grid modelling and sampling).
    """

    generator: LatentGenerator | None
    revision: Chain

    def __init__(
        self,
        grids: Mapping[str, Energy],
        revision: Chain,
        shape: tuple[int, ...],
        generator: LatentGenerator | None = None,
        revisions: Mapping[str, Chain] | None = None,
        *,
        chains: Annotated[int, Ge(1)] = 32,
        start: Origin = "colours",
        noise_std: Annotated[float, Gt(0)] = 1.0,
        enlarge: Enlarge = "nearest",
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
        self.sizes = sizes_of(grids, shape)
        self.grids = nn.ModuleDict({name: grids[name] for name in self.sizes})
        self.generator = generator
        self.colours = MeanColours(shape[0])
        self.steps = chain_of_each(self.sizes, revision, revisions or {})
        self.revision = self.steps[self.finest]
        self.chains = chains
        self.start = start
        self.noise_std = noise_std
        self.enlarge: Enlarge = enlarge
        self.annealing = Annealer(
            self.revision, annealing, noise_until=noise_until, others=self.steps.values()
        )
        self.shifting = {
            name: DensityShift(
                data_noise,
                energy_l2,
                gradient_penalty,
                revised_penalty,
                penalty_stride,
                pairwise,
                _on_grid(augmentation, size[0] / shape[1]),
            )
            for name, size in self.sizes.items()
        }
        newly_annealed(self)

    @classmethod
    def shapes(cls, shape: tuple[int, ...], parts: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
        """Those of the images on each grid."""
        grids = [name.removeprefix("grids.") for name in parts if name.startswith("grids.")]
        return {f"grids.{name}": (shape[0], *size) for name, size in sizes_of(grids, shape).items()}

    @property
    def energy(self) -> Energy:  # type: ignore[override]
        """That of the finest grid, which new samples are revised and scored by."""
        return self.energies[self.finest]

    @property
    def energies(self) -> Mapping[str, Energy]:
        """Those of the grids, coarse to fine."""
        return cast("Mapping[str, Energy]", self.grids)

    @property
    def finest(self) -> str:
        """The name of the data's own grid."""
        return list(self.sizes)[-1]

    def updates(self, batch: Batch, *, rng: Rng) -> Updates:
        """D1 on every grid, then the updates D2, and that of the generator."""
        count, of_chains = shard(self.chains, rng)
        self.colours.see(batch.x)
        with stage("generation"):
            begin = self._begin(count, of_chains, batch.x)
        moved, x = {}, None
        with stage("revision"):
            for name, chain in self.annealing.each(self.steps).items():
                moved[name] = self._moved(name, chain, x, begin, of_chains)
                x = moved[name][1].x
        for name, (_, revised) in moved.items():
            yield self._shifted(name, batch.x, revised, rng, of_chains)
        proposal, revised = moved[self.finest]
        if begin.made is not None and self.generator is not None:
            with stage("reconstruction"):
                loss = reconstruction_loss(revised.x, begin.made, noise_std=self.generator.noise_std)
            yield Update("generator", loss)
        return Examples(batch.x, proposal, revised.x, begin.z)

    def sampling_chain(self) -> Chain:
        """The revision as the last iteration ran it."""
        return self.annealing.last(self.revision)

    def propose(self, count: int, *, rng: Rng) -> Proposal:
        """What the grids but the finest make of a new start, on the finest."""
        begin, x = self._begin(count, rng), None
        for name, chain in list(self.annealing.last_of_each(self.steps).items())[:-1]:
            # Not as a graph, whatever the chain says: making it takes longer than a few samples.
            x = self._moved(name, attrs.evolve(chain, graph=False), x, begin, rng)[1].x
        return Proposal(self._raised(self.finest, x, begin), begin.z)

    def _begin(self, count: int, rng: Rng, data: Tensor | None = None) -> _Begin:
        """G0: proposals of the generator, or where the coarsest grid starts without."""
        if self.generator is not None:
            z = self.generator.prior(count, rng=rng.fold_in("prior"))
            made = self.generator(z)
            return _Begin(made.detach().to(z.dtype), z, made)
        like = next(self.energy.parameters(), torch.empty(0))
        channels, coarsest = len(self.colours.total), next(iter(self.sizes.values()))
        if self.start == "noise":
            return _Begin(
                rng.fold_in("start").normal(like.new_empty(count, channels, *coarsest)) * self.noise_std
            )
        if self.start == "data" and data is not None:
            means = gather(data.mean((-2, -1), keepdim=True))
            rows = torch.arange(rng.first_chain, rng.first_chain + count, device=means.device)
            return _Begin(means[rows % len(means)])
        return _Begin(self.colours.draw(like.new_empty(count, channels, 1, 1), rng=rng.fold_in("start")))

    def _moved(
        self, name: str, chain: Chain, x: Tensor | None, begin: _Begin, rng: Rng
    ) -> tuple[Tensor, Samples]:
        """D1 on one grid: where its chains started, and where they ended."""
        proposal = self._raised(name, x, begin)
        # The finest draws as the revision of any other schedule does, in `sample` too.
        stream = rng.fold_in("revision") if name == self.finest else rng.fold_in("revision", name)
        return proposal, chain(self.energies[name], proposal, rng=stream)

    def _raised(self, name: str, x: Tensor | None, begin: _Begin) -> Tensor:
        """Where the chains of a grid start: x of the next coarser one, or the beginning."""
        size = self.sizes[name]
        if begin.made is None:
            return enlarge(begin.x if x is None else x, size, self.enlarge)
        proposed = shrink(begin.x, size)
        if x is None:
            return proposed
        below = shrink(begin.x, (x.shape[-2], x.shape[-1]))
        return proposed + enlarge(x - below, size, self.enlarge)

    def _shifted(self, name: str, x: Tensor, revised: Samples, rng: Rng, of_chains: Rng) -> Update:
        """D2 of one grid; the figures of the finest have the names that they have everywhere."""
        own, of_revised = (
            each if name == self.finest else each.fold_in("grid", name) for each in (rng, of_chains)
        )
        observed = shrink(x, self.sizes[name])
        with stage("density_shifting"):
            shift = self.shifting[name](
                self.energies[name], observed, revised.x, rng=own, revised_rng=of_revised
            )
        figures = revision_figures(revised, observed=shift.observed, synthesized=shift.synthesized)
        if name != self.finest:
            figures = {f"grid_{name}_{figure}": value for figure, value in figures.items()}
        return Update(f"grids.{name}", shift.loss, figures)

    @staticmethod
    def conformance() -> SchedulerClaims:
        """What ``ebmkit plugins check scheduler/multigrid`` builds."""
        from ebmkit.testing import SchedulerClaims

        return SchedulerClaims(parts={"grids": ("2", "4")})


def _on_grid(augmentation: LossAugmentation | None, scale: float) -> LossAugmentation | None:
    """As it is on a grid of that share of the data's side."""
    if augmentation is None:
        return None
    return attrs.evolve(augmentation, translation=round(augmentation.translation * scale))
