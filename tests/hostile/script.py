"""What is done with an energy: the body of ``run(kit)``."""

from __future__ import annotations

import re
from random import Random

from tests.hostile.draft import Draft

OF_NETS = {
    "self.beta": ["net.beta *= 0.5", "setattr(net, 'beta', -net.beta)", "net.__dict__['beta'] = 0.3"],
    "self.shift": [
        "net.shift = net.shift * 2",
        "net.shift.mul_(0.5)",
        "net._buffers['shift'] = net.shift * 3",
    ],
    "self.gains": ["net.gains[0] *= 0.25", "net.gains.insert(0, 0.2)"],
    "self.gain": ["type(net).gain = 0.3", "net.gain = 0.3"],
    "self.settings": ["net.settings['scale'] = 0.4", "net.settings = {'scale': 0.2}"],
    "self.temperature": ["net.temperature = net.temperature * 0.5", "net.temperature.mul_(0.5)"],
    "self.turns": ["net.turns = 5"],
    "GAIN": ["globals().update(GAIN=0.3)"],
    "": [
        "changed(net, lambda p: p.mul_(0.7))",
        "changed(net, lambda p: p.add_(0.05))",
        "net.register_forward_hook(lambda m, a, o: o * 0.5)",
        "net.register_forward_pre_hook(lambda m, a: (a[0] * 0.5,))",
        "net.requires_grad_(False)",
        "net.forward = (lambda f: lambda x: f(x) * 0.5)(net.forward)",
        "net.load_state_dict({k: v * 0.8 for k, v in net.state_dict().items()})",
        "net.register_full_backward_hook(lambda m, i, o: tuple(g if g is None else g * 0.5 for g in i))",
        (
            "net.__class__ = type('Other', (type(net),), {'forward': lambda self, x: "
            "super(type(self), self).forward(x) * 0.5})"
        ),
        "net.load_state_dict({k: v * 0.8 for k, v in net.state_dict().items()}, assign=True)",
    ],
}
"""Statements about a net, by what its forward pass must have in it."""

OF_LAYERS = [
    "{0}.weight = nn.Parameter({0}.weight.detach() * 0.5)",
    "{0}.register_forward_hook(lambda m, a, o: o.tanh())",
    "{0}.register_forward_pre_hook(lambda m, a: (a[0].tanh(),))",
    "{0}.bias = None",
    "{0}.forward = (lambda f: lambda *a, **k: f(*a, **k).tanh())({0}.forward)",
    "{0}.register_full_backward_hook(lambda m, i, o: (i[0] * 0.5,) if i[0] is not None else None)",
    (
        "{0}.__class__ = type('Other', (type({0}),), {{'forward': lambda self, input: "
        "super(type(self), self).forward(input).sin()}})"
    ),
    "{0}.bias = nn.Parameter({0}.weight.detach().flatten(1)[:, 0])",
    "changed({0}, lambda p: p.neg_())",
    "nn.utils.parametrize.register_parametrization({0}, 'weight', Doubled())",
    "{0}.register_full_backward_pre_hook(lambda m, o: (o[0] * 0.5,))",
]
"""Statements about one of its layers."""

BETWEEN_CHAINS = [
    "{0}.weight.data.mul_(0.5)",
    "stepped(net, kit)",
    "{0}.weight.data = {0}.weight.data.flip(0)",
]
"""Writes that torch does not count: they need a new chain."""


def script(draw: Random, draft: Draft, state: str, *, kind: str, graph: bool) -> list[str]:
    """Lines that build a net and a state and use them in one or two ways."""
    lines = ["net = Net(kit)", f"x = {state}"]
    if draw.random() < 0.12:
        lines.append(
            draw.choice(
                [
                    "net = net.to(memory_format=torch.channels_last) if x.ndim == 4 else net",
                    "net.requires_grad_(False)",
                    "net = pickle.loads(pickle.dumps(net))",
                    "net = copy.deepcopy(net)",
                ]
            )
        )
    if draw.random() < 0.12 and draft.layers:
        lines.append(_change(draw, draft, between_chains=False))
    uses = _USES[kind]
    if draft.evaluated and draw.random() < 0.5:
        uses = [_chain, _chains]  # which have to evaluate by themselves
    elif draft.evaluated:
        lines.append("net.eval()" if draw.random() < 0.8 else "net.eval(); net.training = True")
    lines.append("kit.watch(net=net, x=x)")
    for number in range(1 + (draw.random() < 0.3)):
        found = draw.choice(uses)(draw, draft)
        if graph and kind == "stack" and len(draft.shape) == 1 and draw.random() < 0.02:
            found = [line.replace(", x, steps=", ", x, graph=True, steps=") for line in found]
        lines += [line.replace("NAME", f"part {number}") for line in found]
    return lines


def _options(draw: Random) -> str:
    noise = ", noise=True" if draw.random() < 0.2 else ""
    return f", steps={draw.choice([1, 1, 2, 2, 6])}{noise}"


def _change(draw: Random, draft: Draft, *, between_chains: bool) -> str:
    """Something that a reading of the net must notice."""
    if draft.layers and draw.random() < 0.4:
        layer = draw.choice(draft.layers).replace("self.", "net.")
        return draw.choice(OF_LAYERS + (BETWEEN_CHAINS if between_chains else [])).format(layer)
    text = "\n".join(draft.body)
    used = [name for name in OF_NETS if name and re.search(rf"{name}\b", text)]
    return draw.choice(OF_NETS[draw.choice([*used, *used, ""])])


def _chain(draw: Random, draft: Draft) -> list[str]:
    energy = draw.choice(["net", "net", "net", "net.energy", "net.forward"])
    return [f"kit.chain('NAME', {energy}, x{_options(draw)})"]


def _chains(draw: Random, draft: Draft) -> list[str]:
    energy = draw.choice(["net", "net", "net.energy"])
    change = _change(draw, draft, between_chains=True)
    return [
        f"kit.chain('NAME, before', {energy}, x{_options(draw)})",
        change,
        f"kit.chain('NAME, after', {energy}, x{_options(draw)})",
    ]


def _walk(draw: Random, draft: Draft) -> list[str]:
    change = _change(draw, draft, between_chains=False)
    return [
        "def between(step):",
        "    if step == 0:",
        f"        {change}",
        "",
        "kit.walk('NAME', net, x, steps=3, between=between)",
    ]


def _gradient(draw: Random, draft: Draft) -> list[str]:
    energy = draw.choice(["net", "net", "net.energy"])
    return [f"kit.gradient('NAME', {energy}, x)", f"kit.gradient('NAME, again', {energy}, x * 0.5)"]


def _learn(draw: Random, draft: Draft) -> list[str]:
    given = draw.choice(["x", "x", "x.detach().requires_grad_()"])
    return [
        f"y = {given}",
        (
            "kit.learn('NAME', net, lambda: net(y).sum(), [p for p in [*net.parameters(), y] if "
            "p.requires_grad] or [y])"
        ),
    ]


def _second(draw: Random, draft: Draft) -> list[str]:
    return ["kit.second('NAME', net, net, x.detach(), [p for p in net.parameters() if p.requires_grad])"]


def _function(draw: Random, draft: Draft) -> list[str]:
    energy = draw.choice(
        [
            "lambda x: net(x)",
            "lambda x: net(x) * 0.5",
            "functools.partial(net.energy)",
            "lambda x: torch.func.functional_call(net, dict(net.named_parameters()), (x,))",
        ]
    )
    return [f"kit.chain('NAME', {energy}, x{_options(draw)})"]


def _threads(draw: Random, draft: Draft) -> list[str]:
    jobs = [
        "lambda: [kit.chain(f'NAME, chain {n}', each, x) for n, each in enumerate(nets)]",
        "lambda: [kit.chain(f'NAME, other {n}', each, x) for n, each in enumerate(others)]",
        "lambda: [kit.part(f'NAME, call {n}', lambda: single(one)) for n in range(20)]",
        (
            "lambda: [kit.learn(f'NAME, training {n}', single, lambda: single(one).sum(), "
            "single.parameters()) for n in range(10)]"
        ),
    ]
    chosen = draw.sample(jobs[1:], draw.choice([1, 2]))
    return [
        "nets, others = ([Net(kit).eval() for _ in range(3)] for _ in range(2))",
        "single, one = kit.layer(nn.Linear(4, 4), D), kit.numbers(2, 4, dtype=D)",
        f"kit.threads({', '.join([jobs[0], *chosen])})",
    ]


def _global_hook(draw: Random, draft: Draft) -> list[str]:
    register = draw.choice(
        [
            (
                "torch.nn.modules.module.register_module_forward_hook(lambda m, a, o: o * 0.9 if "
                "isinstance(o, torch.Tensor) else None)"
            ),
            (
                "torch.nn.modules.module.register_module_forward_pre_hook(lambda m, a: (a[0] * "
                "0.9, *a[1:]) if isinstance(m, (nn.Linear, nn.Conv2d)) else None)"
            ),
            (
                "torch.nn.modules.module.register_module_full_backward_hook(lambda m, i, o: "
                "tuple(g if g is None else g * 0.9 for g in i))"
            ),
        ]
    )
    return [
        "kit.chain('NAME, before', net, x)",
        f"handle = {register}",
        "try:",
        "    kit.chain('NAME', net, x)",
        "finally:",
        "    handle.remove()",
        "kit.chain('NAME, after', net, x)",
    ]


_USES = {
    "stack": [
        _chain,
        _chain,
        _chain,
        _chains,
        _chains,
        _chains,
        _walk,
        _walk,
        _walk,
        _walk,
        _gradient,
        _learn,
        _second,
        _threads,
        _function,
        _global_hook,
    ],
    "wide": [_chain, _chain, _chain, _chain, _chains, _walk, _learn, _learn, _second, _function],
    "wild": [
        _chain,
        _chain,
        _chain,
        _chains,
        _chains,
        _walk,
        _walk,
        _gradient,
        _learn,
        _second,
        _threads,
        _function,
        _global_hook,
    ],
}
