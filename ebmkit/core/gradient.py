r"""E(x) and its gradient, by autograd or by something faster that is known for the energy.

A chain evaluates one energy, whose weights do not change, at many states of one shape. So before it
starts the energy is *prepared* for it: turned into a callable that gives value and gradient at such
states. Samplers do not see this: they call ``value_and_gradient`` as always.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from importlib.metadata import entry_points
from itertools import chain
from typing import NamedTuple, Protocol, TypeAlias, final

import torch
from torch import Tensor, nn

from ebmkit.core.energy import Energy, EnergyFn
from ebmkit.core.precision import Precision, current_precision

__all__ = [
    "Gradient",
    "Prepared",
    "Preparer",
    "ValueAndGradient",
    "fast_layers",
    "prepare",
    "value_and_gradient",
]

PREPARERS = "ebmkit.preparers"
"""Entry-point group of the plugins that know a faster gradient; each entry names a ``Preparer``."""


class ValueAndGradient(NamedTuple):
    """E(x) in nats, ``(B,)``, and its gradient with respect to x, ``(B, *S)``; both detached."""

    value: Tensor
    gradient: Tensor


Gradient: TypeAlias = Callable[[Tensor], ValueAndGradient]
"""Value and gradient of one energy with the weights it had when it was prepared."""


class Preparer(Protocol):
    """Knows a faster way to the gradient of some energies.

    One that has a method ``status() -> str`` is asked by ``ebmkit doctor`` for a line about itself: what it
    compiled, or why not. One that has a method ``layers(module, learning) -> AbstractContextManager`` is
    asked for a block in which single layers of the module are faster; see ``fast_layers``.
    """

    def __call__(self, energy: nn.Module, x: Tensor, precision: Precision) -> Gradient | None:
        """Value and gradient of ``energy`` at states of the shape, dtype and device of ``x``.

        Args:
            energy: in the mode in which the chain evaluates it.
            x: a state of the chain, ``(B, *S)``.
            precision: in which it may compute.

        Returns:
            None where it knows nothing better than autograd.
        """


@final
class Prepared:
    """An energy as a chain hands it to its sampler: callable like the energy it was made of.

    The fast gradient is made again when a parameter or buffer has changed in place since (torch counts
    the versions of a tensor; optimizers with fused kernels, and writes through ``.data``, are not
    counted, so weights that change that way need a new chain), and left aside for states of another
    shape than the one it was made for.

    Args:
        energy: any callable ``(B, *S) -> (B,)``.
        x: a state of the chain: its start.

    Attributes:
        start_energy: E(x) of that very tensor, ``(B,)`` nats, once a gradient was taken there.
    """

    def __init__(self, energy: EnergyFn, x: Tensor) -> None:
        self.energy = energy
        self.start_energy: Tensor | None = None
        self._start: Tensor | None = x
        self.precision = current_precision()
        self._tensors = _tensors_of(energy)
        self._prepare(x)

    def __call__(self, x: Tensor) -> Tensor:
        """The energy itself, differentiable: ``(B, *S) -> (B,)``."""
        return self.energy(x)

    def value_and_gradient(self, x: Tensor) -> ValueAndGradient:
        """As the function of that name."""
        result = self._evaluate(x)
        if x is self._start:
            self.start_energy, self._start = result.value, None
        return result

    def _evaluate(self, x: Tensor) -> ValueAndGradient:
        if self._fast is None or _kind(x) != self._for:
            return _by_autograd(self.energy, x, self.precision)
        if self._versions != _versions(self._tensors):
            self._prepare(x)
            return self._evaluate(x)
        if torch.is_grad_enabled():  # not in a chain
            with torch.no_grad():
                return self._fast(x)
        return self._fast(x)

    @torch.no_grad()
    def _prepare(self, x: Tensor) -> None:
        self._for = _kind(x)
        self._versions = _versions(self._tensors)
        self._fast = _fastest(self.energy, x, self.precision)


@contextmanager
def fast_layers(module: object, *, learning: bool = True) -> Iterator[None]:
    """Compute layers of a module faster inside this block, where a plugin knows how: the same to rounding.

    Trainings and chains do this by themselves. Backward passes follow the forward pass they belong to.

    Args:
        module: whose layers are evaluated in the block; what is no ``nn.Module`` has none.
        learning: whether gradients of weights may be asked for; a chain asks for none.

    Examples:
        >>> with fast_layers(net):  # doctest: +SKIP
        ...     loss = net(x).mean()
    """
    with ExitStack() as stack:
        for preparer in _preparers() if isinstance(module, nn.Module) else ():
            layers: Callable[[nn.Module, bool], AbstractContextManager[object]] | None
            if (layers := getattr(preparer, "layers", None)) is not None:
                stack.enter_context(layers(module, learning))
        yield


def prepare(energy: EnergyFn, x: Tensor) -> Prepared:
    """The energy, ready for many gradients at states like ``x``; see ``Prepared``.

    Energies made of others prepare those: inside ``Energy.prepare`` of a wrapper, call this for the part
    and build the whole gradient from the part's.
    """
    return energy if isinstance(energy, Prepared) else Prepared(energy, x)


def value_and_gradient(energy: EnergyFn, x: Tensor) -> ValueAndGradient:
    r"""E(x) and $\nabla_x E(x)$ for each row of ``x``.

    Samplers get gradients from here and nowhere else, so that a faster way to compute them
    reaches every sampler. Only the gradient with respect to ``x`` is formed: parameters keep
    their ``.grad``, and no time goes into weight gradients (a third of a step).

    Args:
        energy: any callable ``(B, *S) -> (B,)``.
        x: where to evaluate, ``(B, *S)``.

    Raises:
        ValueError: the energy returned another shape than ``(B,)``.

    Examples:
        >>> import torch
        >>> value_and_gradient(lambda x: (x**2).sum(1) / 2, torch.tensor([[3.0, 4.0]]))
        ValueAndGradient(value=tensor([12.5000]), gradient=tensor([[3., 4.]]))
    """
    if isinstance(energy, Prepared):
        return energy.value_and_gradient(x)
    return _by_autograd(energy, x, "fp32")


def _by_autograd(energy: EnergyFn, x: Tensor, precision: Precision) -> ValueAndGradient:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        if precision == "bf16":
            with torch.autocast(x.device.type, torch.bfloat16):
                value = energy(x)
        else:
            value = energy(x)
        if value.shape != x.shape[:1]:
            raise ValueError(
                f"an energy maps (B, *S) to (B,), but this one turned {tuple(x.shape)} "
                f"into {tuple(value.shape)}: sum over everything but the first dimension"
            )
        (gradient,) = torch.autograd.grad(value.sum(), x)
    return ValueAndGradient(value.detach(), gradient)


def _fastest(energy: EnergyFn, x: Tensor, precision: Precision) -> Gradient | None:
    """What the energy knows about itself, or else the first plugin that knows something about it."""
    if isinstance(energy, Energy) and (own := energy.prepare(x)) is not None:
        return own
    if not isinstance(energy, nn.Module):
        return None
    offers = (preparer(energy, x, precision) for preparer in _preparers())
    return next((offer for offer in offers if offer is not None), None)


@cache
def _preparers() -> tuple[Preparer, ...]:
    """Those of all installed plugins; one that cannot be imported is left out with a warning."""
    found = list(installed_preparers())
    for each in found:
        if each.preparer is None:
            warnings.warn(each.complaint(each.fault), RuntimeWarning, stacklevel=2)
    return tuple(each.preparer for each in found if each.preparer is not None)


class InstalledPreparer(NamedTuple):
    """What an entry point of the group ``ebmkit.preparers`` led to.

    Attributes:
        name: of the plugin.
        distribution: that brought it.
        preparer: None where it cannot be imported, which costs speed alone.
        fault: why it cannot.
    """

    name: str
    distribution: str
    preparer: Preparer | None
    fault: str = ""

    def complaint(self, fault: str) -> str:
        """What a fault of it means, with everybody who answers for it."""
        return f"plugin {self.name!r} of {self.distribution} makes no chain faster: {fault}"


def installed_preparers() -> Iterator[InstalledPreparer]:
    """Those of every plugin, by name."""
    for point in sorted(entry_points(group=PREPARERS), key=lambda point: point.name):
        distribution = point.dist.name if point.dist is not None else "(unknown distribution)"
        try:
            preparer, fault = point.load(), ""
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a broken plugin must harm nobody else
            preparer, fault = None, str(error) or type(error).__name__
        yield InstalledPreparer(point.name, distribution, preparer, fault)


def _tensors_of(energy: EnergyFn) -> list[Tensor]:
    return list(chain(energy.parameters(), energy.buffers())) if isinstance(energy, nn.Module) else []


def _versions(tensors: list[Tensor]) -> list[int]:
    """How often each was changed in place: torch's own count."""
    return [each._version for each in tensors]  # noqa: SLF001


def _kind(x: Tensor) -> tuple[torch.Size, torch.dtype, torch.device]:
    return x.shape, x.dtype, x.device
