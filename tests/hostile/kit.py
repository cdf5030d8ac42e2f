"""What a case does with an energy, in plain torch: the reference, which must never import ebmkit.

A case is a text with a function ``run(kit)``: it builds energies and states out of ``kit.numbers`` and
``kit.layer``, hands them to ``kit.gradient``, ``kit.chain``, ``kit.walk``, ``kit.learn`` and their kin, and
changes what it likes in between. The same text runs with this kit in float32, again in float64, and with the
kit of ``fast``, which asks ebmkit for the same things.
"""

from __future__ import annotations

import functools
import math
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

Energy = Callable[[Tensor], Tensor]


class Raised(NamedTuple):
    """What a part of a case ended with, its class and the classes above it."""

    kinds: tuple[str, ...]
    message: str


class Kit:
    """Plain torch, and nothing else.

    Args:
        exact: in float64 throughout, whatever dtypes the case names.
        noises: by part of the case, the noise of each step of its chain.
    """

    def __init__(self, *, exact: bool = False, noises: dict[str, list[Tensor]] | None = None) -> None:
        self.exact = exact
        self.noises = {} if noises is None else noises
        self.results: dict[str, Tensor | Raised] = {}
        self.watched: dict[str, object] = {}
        self._generator = torch.Generator().manual_seed(0)

    # What a case is made of.

    def dtype(self, dtype: torch.dtype = torch.float32) -> torch.dtype:
        """That dtype, and float64 where the exact answer is looked for."""
        return torch.float64 if self.exact else dtype

    def numbers(self, *shape: int, scale: float = 1.0, dtype: torch.dtype = torch.float32) -> Tensor:
        """N(0, scale²) numbers of a case: the same in every process, rounded to ``dtype``."""
        drawn = torch.randn(*shape, generator=self._generator) * scale
        return drawn.to(dtype).to(self.dtype(dtype))

    def layer(self, module: nn.Module, dtype: torch.dtype = torch.float32) -> Any:
        """The module with weights that keep the size of what goes through, the same in every process."""
        module = module.to(self.dtype(dtype))
        with torch.no_grad():
            for each in module.parameters():
                fan = each[0].numel() if each.ndim > 1 else 25
                drawn = self.numbers(*each.shape, scale=1 / math.sqrt(fan))
                norm = each.ndim == 1 and bool((each == 1).all())
                each.copy_(1 + drawn if norm else drawn)
        return module

    def watch(self, **objects: object) -> None:
        """Compare these objects once the case is over: nothing but the case itself may have changed them."""
        self.watched.update(objects)

    # What a case asks for.

    def gradient(self, name: str, energy: Energy, x: Tensor) -> None:
        """E(x) and its gradient, as a sampler gets them."""
        self.part(name, lambda: self._gradient(energy, x))

    def prepared(
        self, name: str, energy: Energy, states: list[Tensor], *, between: Callable[[int], object]
    ) -> None:
        """E and its gradient at some states, prepared at the first; what torch counts may change."""
        self.part(name, lambda: self._prepared(energy, states, between))

    def chain(self, name: str, energy: Energy, x: Tensor, **options: Any) -> None:
        """Where Langevin dynamics of some steps move, less their noise, and E at the start."""
        self.part(name, lambda: self._chain(name, energy, x, **options))

    def walk(
        self, name: str, energy: Energy, x: Tensor, *, steps: int, between: Callable[[int], object]
    ) -> None:
        """The same step by step, something being done between the steps; every state counts."""
        self.part(name, lambda: self._walk(energy, x, steps=steps, between=between))

    def learn(
        self, name: str, module: nn.Module, loss: Callable[[], Tensor], wanted: Iterable[Tensor]
    ) -> None:
        """A loss of a module's and its gradients, as a training step makes them."""

        def answer() -> dict[str, Tensor]:
            with self.fast(module):
                value = loss()
                found = torch.autograd.grad(value, list(wanted), allow_unused=True)
            return {
                "loss": value,
                **{f"gradient {i}": each for i, each in enumerate(found) if each is not None},
            }

        self.part(name, answer)

    def second(
        self, name: str, module: nn.Module, energy: Energy, x: Tensor, wanted: Iterable[Tensor]
    ) -> None:
        """Derivatives of the squared gradient (score matching, gradient penalties) in a training step."""

        def answer() -> dict[str, Tensor]:
            leaf = x.detach().requires_grad_()
            with self.fast(module):
                (slope,) = torch.autograd.grad(energy(leaf).sum(), leaf, create_graph=True)
                found = torch.autograd.grad(slope.square().sum(), [leaf, *wanted], allow_unused=True)
            return {f"second {i}": each for i, each in enumerate(found) if each is not None}

        self.part(name, answer)

    def call(self, name: str, module: nn.Module, function: Callable[[], Tensor]) -> None:
        """What a function of the user's gives where the layers of a module are fast."""

        def answer() -> Tensor:
            with self.fast(module):
                return function()

        self.part(name, answer)

    def threads(self, *jobs: Callable[[], object]) -> None:
        """Jobs of a case at the same time; here one after the other, which gives the same."""
        for job in jobs:
            job()

    def part(self, name: str, function: Callable[[], Tensor | dict[str, Tensor]]) -> None:
        """One part of a case: what it gives, or what it raises."""
        assert name not in self.results
        try:
            found = function()
        except Exception as error:  # noqa: BLE001 - whatever it is, it has to be the same
            kinds = tuple(kind.__name__ for kind in type(error).__mro__)
            self.results[name] = Raised(kinds, f"{type(error).__name__}: {error}"[:300])
            return
        found = found if isinstance(found, dict) else {"result": found}
        self.results[name] = torch.zeros(0, device="cpu")  # it came back
        for key, value in found.items():
            self.results[f"{name}: {key}"] = value.detach().to_dense().clone()

    # How plain torch answers.

    def fast(self, module: nn.Module) -> AbstractContextManager[object]:
        """Where a training step happens."""
        del module
        return nullcontext()

    def _gradient(self, energy: Energy, x: Tensor) -> dict[str, Tensor]:
        value, gradient = by_autograd(energy, x)
        return {"energy": value, "gradient": gradient}

    def _prepared(
        self, energy: Energy, states: list[Tensor], between: Callable[[int], object]
    ) -> dict[str, Tensor]:
        found = {}
        for number, x in enumerate(states):
            found[f"energy {number}"], found[f"gradient {number}"] = by_autograd(energy, x)
            between(number)
        return found

    def _chain(
        self,
        name: str,
        energy: Energy,
        x: Tensor,
        *,
        steps: int = 2,
        step_size: float = 1.0,
        noise: bool = False,
        graph: bool = False,
    ) -> dict[str, Tensor]:
        del graph
        start, first = x.detach(), None
        x = start
        noises = [each.to(x.dtype) for each in self._noise(name, x, steps)] if noise else []
        with torch.no_grad(), evaluating(energy):
            for step in range(steps):
                value, gradient = by_autograd(energy, x)
                first = value if first is None else first
                x = torch.add(x, gradient, alpha=-(step_size**2) / 2)
                if noise:
                    x = torch.add(x, noises[step], alpha=step_size)
        assert first is not None
        return {"start energy": first, "move": moved(x, start, noises, step_size)}

    def _noise(self, name: str, x: Tensor, steps: int) -> list[Tensor]:
        """What the subject drew, or something of the kind where nobody drew yet."""
        if name not in self.noises:
            generator = torch.Generator().manual_seed(len(self.noises))
            self.noises[name] = [torch.randn(x.shape, generator=generator).to(x.dtype) for _ in range(steps)]
        return self.noises[name]

    def _walk(
        self, energy: Energy, x: Tensor, *, steps: int, between: Callable[[int], object]
    ) -> dict[str, Tensor]:
        x, moves = x.detach(), {}
        for step in range(steps):
            _, gradient = by_autograd(energy, x)
            after = torch.add(x, gradient, alpha=-0.5)
            moves[f"move {step}"], x = moved(after, x, [], 1.0), after
            between(step)
        return moves


def moved(after: Tensor, before: Tensor, noises: list[Tensor], step_size: float) -> Tensor:
    """What the gradient did to a chain."""
    return after.double() - before.double() - step_size * sum(each.double() for each in noises)


def by_autograd(energy: Energy, x: Tensor) -> tuple[Tensor, Tensor]:
    """E(x) and its gradient with respect to x; the shape is looked at, as ebmkit says that it does."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = energy(x)
        if value.shape != x.shape[:1]:
            raise ValueError(f"an energy of the shape {tuple(value.shape)}")
        (gradient,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), gradient


@contextmanager
def evaluating(energy: Energy) -> Iterator[None]:
    """The module that an energy is, or is a method of, in eval mode, as chains promise."""
    while isinstance(energy, functools.partial):
        energy = energy.func
    owner = getattr(energy, "__self__", energy)
    modules = list(owner.modules()) if isinstance(owner, nn.Module) else []
    modes = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def at_once(jobs: Iterable[Callable[[], object]]) -> None:
    """Each in a thread of its own, begun together."""
    jobs = list(jobs)
    gate = threading.Barrier(len(jobs))

    def begin(job: Callable[[], object]) -> None:
        gate.wait()
        job()

    running = [threading.Thread(target=begin, args=(job,)) for job in jobs]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # what may happen between two lines of a reading will happen
    try:
        for each in running:
            each.start()
        for each in running:
            each.join()
    finally:
        sys.setswitchinterval(interval)
