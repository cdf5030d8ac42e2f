r"""Averaged weights: the exponential moving average of what an optimizer does to a module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from ebmkit.core.generator import LatentGenerator
from ebmkit.core.rng import Rng
from ebmkit.core.torch_private import BatchNorm, lerp_all

__all__ = ["AveragedWeights", "re_estimate", "take_averages"]

_DRAWS, _BATCH = 256, 64
"""Latents whose statistics are taken, and how many of them at a time."""


@final
class AveragedWeights:
    r"""The average of a module's parameters over its updates, the recent ones counting most.

    After n updates with weights $\theta_1, \ldots, \theta_n$ it is

    $$\bar\theta_n = \frac{1 - d}{1 - d^n} \sum_{k=1}^n d^{\,n-k}\, \theta_k$$

    so that its own beginning has no undue share: after one update it is $\theta_1$. It reaches back about
    $1 / (1 - d)$ updates.

    Parameters that learn are averaged, buffers never: the unit vectors of a spectral norm would shrink, and
    the running statistics of a batch norm belong to the weights they were taken with (``re_estimate``).
    This is no ``nn.Module``, so that a schedule's ``state_dict()`` is what it was without it.

    Args:
        module: whose weights; nothing of it is changed but inside ``swapped_in``.
        decay: d, in [0, 1); 0 is the last weights.

    Attributes:
        updates: n.

    Raises:
        ValueError: a decay out of its range.

    Source: Polyak, Juditsky, 1992 (averaging); Kingma, Ba, 2014, arXiv 1412.6980, section 3 (the correction
    of the beginning); Yazıcı and others, 2018, arXiv 1806.04498 (generators).

    Examples:
        >>> net = nn.Linear(1, 1, bias=False)
        >>> average = AveragedWeights(net, decay=0.5)
        >>> for value in (1.0, 4.0):
        ...     _ = nn.init.constant_(net.weight, value)
        ...     average.update()
        >>> average.values["weight"].item()
        3.0
    """

    def __init__(self, module: nn.Module, *, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"the decay of averaged weights is in [0, 1), not {decay}")
        self._module = module
        self.decay = decay
        self.updates = 0
        self.values: dict[str, Tensor] = {
            name: each.detach().clone() for name, each in module.named_parameters() if each.requires_grad
        }

    def __repr__(self) -> str:
        count = sum(each.numel() for each in self.values.values())
        return f"AveragedWeights({count:,} numbers, decay={self.decay}, updates={self.updates})"

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights as they are now into the average: call it after each update of them."""
        self.updates += 1
        share = (1 - self.decay) / (1 - self.decay**self.updates)
        lerp_all(list(self.values.values()), self._parameters(), share)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that is remembered: the averages by the names of the parameters, and ``updates``."""
        return {"updates": torch.tensor(self.updates), **{f"of.{name}": x for name, x in self.values.items()}}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Remember what another one of the same module did.

        Raises:
            KeyError: it is of a module with other parameters.
            ValueError: of other shapes.
        """
        if others := state.keys() ^ self.state_dict().keys():
            raise KeyError(f"averaged weights of other parameters: {', '.join(sorted(others))}")
        for name, value in self.values.items():
            if value.shape != state[f"of.{name}"].shape:
                raise ValueError(f"averaged weights of another shape: {name}")
            value.copy_(state[f"of.{name}"])
        self.updates = int(state["updates"])

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Let the module have the averages in this block, and its own weights and buffers afterwards.

        Before the first update they are its own.
        """
        if not self.updates:
            yield
            return
        before = [*self._parameters(), *self._module.buffers()]
        copies = [each.detach().clone() for each in before]
        try:
            _copy(self.values.values(), self._parameters())
            yield
        finally:
            _copy(copies, before)

    def _parameters(self) -> list[Tensor]:
        own = dict(self._module.named_parameters())
        return [own[name] for name in self.values]


@torch.no_grad()
def _copy(sources: Iterable[Tensor], targets: Iterable[Tensor]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.copy_(source)


@torch.no_grad()
def take_averages(module: nn.Module, averages: Mapping[str, Mapping[str, Tensor]], *, rng: Rng) -> None:
    """Give parts of a module their averaged weights, and generators the batch statistics that belong to them.

    Args:
        module: with its last weights; changed in place.
        averages: of each part, by its name in the module: averaged weights by theirs in the part.
        rng: of the latents whose statistics are taken.
    """
    for name, values in averages.items():
        part = module.get_submodule(name)
        own = dict(part.named_parameters())
        _copy(values.values(), [own[each] for each in values])
        if isinstance(part, LatentGenerator):
            re_estimate(part, rng=rng.fold_in("batch statistics", name))


@torch.no_grad()
def re_estimate(generator: LatentGenerator, *, rng: Rng) -> None:
    """Take a generator's batch statistics anew, from 256 latents of its prior in four batches.

    Running statistics are those of the weights in whose updates they were taken, and averaged weights are
    others. Each layer gets the mean over the batches of their means, and of their unbiased variances, with
    the layers below normalised by the batch. Without such layers nothing is done.

    Args:
        generator: whose buffers ``running_mean`` and ``running_var`` are set; its mode is given back.
        rng: of the latents; equal keys give equal statistics, with any number of processes.

    Source: Izmailov, Podoprikhin, Garipov, Vetrov, Wilson, 2018, arXiv 1803.05407, section 3.2.
    """
    layers = [each for each in generator.modules() if isinstance(each, BatchNorm) and _runs(each)]
    if not layers:
        return
    seen: list[list[tuple[Tensor, Tensor]]] = [[] for _ in layers]
    modes = [(each, each.training) for each in generator.modules()]
    hooks = [
        layer.register_forward_pre_hook(partial(_look, found))
        for layer, found in zip(layers, seen, strict=True)
    ]
    try:
        _by_their_batches(generator, layers)
        for latents in torch.split(generator.prior(_DRAWS, rng=rng), _BATCH):
            generator(latents)
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes:
            module.training = mode
    for layer, found in zip(layers, seen, strict=True):
        means, variances = zip(*found, strict=True)
        _copy((torch.stack(means).mean(0), torch.stack(variances).mean(0)), _running(layer))


def _runs(layer: BatchNorm) -> bool:
    return layer.running_mean is not None and layer.running_var is not None


def _running(layer: BatchNorm) -> tuple[Tensor, Tensor]:
    assert layer.running_mean is not None  # noqa: S101 - others are left out
    assert layer.running_var is not None  # noqa: S101
    return layer.running_mean, layer.running_var


def _by_their_batches(generator: LatentGenerator, layers: Iterable[nn.Module]) -> None:
    """Let these layers normalise by the batch, and others, dropout for one, do what they do in use."""
    generator.eval()
    for layer in layers:
        layer.train()


def _look(found: list[tuple[Tensor, Tensor]], layer: nn.Module, given: tuple[Tensor]) -> None:
    """Note mean and variance of each channel of what a layer is given, ``(B, C, ...)``."""
    del layer
    channels = given[0].transpose(0, 1).flatten(1).double()
    found.append((channels.mean(1), channels.var(1)))
