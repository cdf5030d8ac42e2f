"""Statements of forward passes: layers, activations, and what people put between them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from tests.hostile.draft import Draft, fan

Block: TypeAlias = Callable[[Draft], bool]
"""Says something about ``draft``'s h; False where it does not fit there."""

_KINKED = ("relu", "leaky", "hardtanh", "abs", "clamp", "PReLU", "where", "RReLU", "hardswish", "threshold")

ACTIVATIONS = [
    "h = torch.relu(h)", "h = F.relu(h)", "h = h.relu()", "h = F.relu(h, inplace=True)", "h.relu_()", "torch.relu_(h)", "F.relu_(h)",
    "h = F.relu(input=h)", "F.relu(h, True)", "h = F.leaky_relu(h, 0.2)", "h = F.leaky_relu(h, negative_slope=-0.2)",
    "F.leaky_relu_(h, 0.3)", "h = F.leaky_relu(h)", "h = F.silu(h)", "F.silu(h, inplace=True)", "h = torch.tanh(h)", "h.tanh_()",
    "h = h.tanh()", "h = F.softplus(h)", "h = F.softplus(h, beta=2)", "h = F.softplus(h, 0.5, 1.0)", "h = F.gelu(h)",
    "h = F.gelu(h, approximate='tanh')", "h = F.elu(h)", "F.elu_(h)", "h = F.mish(h)", "h = torch.sigmoid(h)", "h = h.sigmoid()",
    "h.sigmoid_()", "h = F.hardtanh(h)", "h = h.abs()", "h = h.clamp(min=0)", "h.clamp_(min=0)", "h = torch.sin(h)", "h = h.square() / 2",
    "h = torch.where(h > 0, h, 0.1 * h)", "h = h * torch.sigmoid(h)", "h = F.celu(h, 0.7)", "h = F.selu(h)", "h = F.logsigmoid(h)",
    "h = torch.logaddexp(h, torch.zeros_like(h))", "h = h.exp().log1p()", "h = h.sin_()", "h = F.threshold(h, 0.1, 0.0)",
]  # fmt: skip

MODULES = [
    "nn.ReLU()", "nn.ReLU(inplace=True)", "nn.LeakyReLU(0.2)", "nn.LeakyReLU(0.2, inplace=True)", "nn.LeakyReLU(-0.1)", "nn.LeakyReLU()",
    "nn.SiLU()", "nn.SiLU(inplace=True)", "nn.Tanh()", "nn.Softplus()", "nn.Softplus(beta=2)", "nn.Softplus(threshold=2)", "nn.GELU()",
    "nn.ELU(inplace=True)", "nn.Mish()", "nn.PReLU()", "nn.Sigmoid()", "nn.Identity()", "nn.Hardswish()", "nn.Softsign()",
]  # fmt: skip


def activation(draft: Draft) -> bool:
    """φ as a statement, or as a module that is used, or whose result is thrown away."""
    if draft.chance(0.5):
        line = draft.draw.choice(ACTIVATIONS)
    else:
        module = draft.draw.choice(MODULES)
        in_place = "inplace" in module and draft.chance(0.5)
        line = f"{'' if in_place else 'h = '}{draft.layer(module, 'act')}(h)"
        draft.kinked |= any(word.lower() in module.lower() for word in _KINKED)
    draft.kinked |= any(word in line for word in _KINKED)
    draft.say(line)
    return True


READ = [
    "h = torch.relu(h)", "h = F.relu(h)", "h = F.leaky_relu(h, 0.2)", "h = F.leaky_relu(h, negative_slope=0.1)", "h = F.silu(h)",
    "h = torch.tanh(h)", "h = h.tanh()", "h = F.softplus(h)", "h = h.relu()", "h = h.relu_()", "h = F.relu(h, inplace=True)",
]  # fmt: skip
"""Activations that closed forms know."""


def plain_activation(draft: Draft) -> bool:
    """One that closed forms know."""
    line = draft.draw.choice(READ)
    if draft.chance(0.4):
        line = f"h = {draft.layer(draft.draw.choice(['nn.ReLU()', 'nn.ReLU(inplace=True)', 'nn.LeakyReLU(0.2)', 'nn.Tanh()', 'nn.SiLU()', 'nn.Softplus()']), 'act')}(h)"
    draft.kinked |= "relu" in line.lower() or "act" in line
    draft.say(line)
    return True


def silent_activation(draft: Draft) -> bool:
    """A statement whose result nobody uses, on units that are positive where the chain starts; or none."""
    if draft.layers and draft.chance(0.7):
        draft.init.append(
            f"if {draft.layers[-1]}.bias is not None: nn.init.constant_({draft.layers[-1]}.bias, 2.0)"
        )
    module = draft.layer("nn.ReLU(inplace=True)", "act")
    draft.say(
        draft.draw.choice(
            [
                "h.relu_()",
                "torch.relu_(h)",
                "F.relu(h, inplace=True)",
                "F.relu_(h)",
                "h.clamp_(min=0)",
                f"{module}(h)",
                "F.leaky_relu_(h, 0.01)",
                "g = h.relu_()",
            ]
        )
    )
    draft.kinked = True
    if draft.chance(0.6):
        plain_layer(draft)
        plain_activation(draft)
    return True


def plain_layer(draft: Draft, outputs: int | None = None) -> bool:
    """A layer that closed forms know, as most people write it."""
    draw, inputs = draft.draw, draft.shape[0]
    outputs = outputs or draw.choice([1, 4, 16, 32])
    if len(draft.shape) == 1:
        name = draft.layer(f"nn.Linear({inputs}, {outputs})")
        draft.shape = (outputs,)
    elif len(draft.shape) == 3:
        kernel, stride, padding = draw.choice(
            [(3, 1, 1), (3, 1, 0), (4, 2, 1), (5, 2, 2), (7, 1, 3), (1, 1, 0)]
            if outputs < 64
            else [(3, 1, 1)]
        )
        sides = [(side + 2 * padding - kernel) // stride + 1 for side in draft.shape[1:]]
        if min(sides) < 1 or not draft.pay(kernel**2 * inputs * outputs * math.prod(sides)):
            return False
        name = draft.layer(f"nn.Conv2d({inputs}, {outputs}, {kernel}, {stride}, {padding})")
        draft.shape = (outputs, *sides)
    else:
        return convolution(draft)
    draft.layers.append(name)
    if draft.chance(0.15):
        _dressed(draft, name)
    draft.say(f"h = {name}(input=h)" if draft.chance(0.05) else f"h = {name}(h)")
    return True


def in_place(draft: Draft) -> bool:
    """h changed by a statement."""
    first = "h[:, :1]"
    draft.say(
        draft.draw.choice(
            [
                "h += 0.5",
                "h *= 1.5",
                "h.add_(0.3)",
                "h.mul_(2.0)",
                f"{first} = 0.0",
                f"{first}.mul_(3.0)",
                "h.neg_()",
                f"h = h.clone(); {first} = 0.5",
                "h -= h.detach() * 0.3",
                "h.div_(2)",
                "h.fill_diagonal_(0) if h.ndim == 2 else h.add_(1)",
            ]
        )
    )
    return True


def odd(draft: Draft) -> bool:
    """What a reading that only follows operations on tensors loses."""
    row = "torch.stack([{} for r in h])"
    one = [
        "c = float(h.detach().norm()); h = h / (1 + c)",
        "if h.mean() > 0: h = h * 1.5",
        "h = h * float(h.detach().abs().max())",
        "h = h + torch.from_numpy(h.detach().double().numpy() ** 2).to(h.dtype)",
    ]
    many = [
        row.format("r * 1.5 if r.mean() > 0 else r"),
        row.format("r / (1 + float(r.detach().norm()))"),
        row.format("r * r.detach().norm()"),
    ]
    lines = [
        "h = h - 0.5 * h.detach()",
        "with torch.no_grad(): c = h * 0.5\n        h = h + c",
        "h = Halved.apply(h)",
        "_ = h.register_hook(lambda g: g * 0.5) if h.requires_grad else None",
        "h = checkpoint(torch.tanh, h, use_reentrant=False)",
        "h = h * 2 if torch.is_grad_enabled() else h * 2",
        "h = h * (0.5 if self.training else 0.5)",
        "h = h * (1.0 + 0.0 * len(h))",
        "h = torch.utils._pytree.tree_map(lambda t: t * 1.1, [h])[0]",
        "h = torch.vmap(lambda r: r * r.mean())(h)",
        "for _ in range(self.turns): h = h * 0.9",
        "h = (lambda t, *, by: t * by)(h, by=0.7)",
        "assert h.shape[0] == len(x)",
        "h = h.to(torch.float64).to(h.dtype)",
        "h = torch.zeros_like(h).copy_(h)",
        "h = torch.nan_to_num(h)",
        "s = self.settings['scale']; h = h * s",
        *(f"h = {each}" for each in many),
        *(one if draft.rows == 1 else ()),
    ]
    line = draft.draw.choice(lines)
    draft.kinked |= "> 0" in line or "max" in line
    draft.say(line)
    return True


def norm(draft: Draft) -> bool:
    """A normalisation; of the batch with the statistics of a training that was."""
    channels, rank = draft.shape[0], len(draft.shape)
    groups = max(each for each in (1, 2, 4, 8) if channels % each == 0)
    ways = [f"nn.GroupNorm({groups}, {channels})", f"nn.LayerNorm({draft.shape})"]
    if rank in (1, 2, 3, 4):
        ways.append(f"nn.BatchNorm{max(rank - 1, 1)}d({channels})")
    if rank in (2, 3) and math.prod(draft.shape[1:]) > 1:
        ways.append(f"nn.InstanceNorm{rank - 1}d({channels}, affine=True)")
    text = draft.draw.choice(ways)
    draft.evaluated |= "Batch" in text
    draft.say(f"h = {draft.layer(text, 'norm')}(h)")
    return True


def dropout(draft: Draft) -> bool:
    """Which chains switch off."""
    draft.evaluated = True
    draft.say(f"h = {draft.layer('nn.Dropout(0.3)', 'drop')}(h)")
    return True


def linear(draft: Draft) -> bool:
    """A linear layer on vectors, in one of the ways of writing it."""
    if len(draft.shape) != 1:
        return False
    (inputs,), outputs = draft.shape, draft.draw.choice([1, 3, 16, 33, 64])
    if not draft.pay(inputs * outputs):
        return False
    if draft.chance(0.45):
        bias = draft.chance(0.8)
        name = draft.layer(f"nn.Linear({inputs}, {outputs}, bias={bias})")
        draft.layers.append(name)
        _dressed(draft, name)
        line = draft.draw.choice(
            [
                "h = {}(h)",
                "h = {}(h)",
                "h = {0}.forward(h)",
                "h = F.linear(h, {0}.weight, {0}.bias)",
                "h = {}(input=h)",
            ]
        ).format(name)
    else:
        turned = draft.chance(0.5)
        shape = (outputs, inputs) if turned else (inputs, outputs)
        weight = draft.tensor(shape, 1 / math.sqrt(inputs), of_x=True)
        bias_text = draft.tensor((outputs,), 0.3, of_x=True)
        forms = (
            [
                "h = F.linear(h, {w}, {b})",
                "h = F.linear(input=h, weight={w}, bias={b})",
                "h = h @ {w}.T + {b}",
                "h = F.linear(h, {w})",
                "h = torch.einsum('bi,oi->bo', h, {w})",
            ]
            if turned
            else [
                "h = h @ {w} + {b}",
                "h = torch.addmm({b}, h, {w})",
                "h = torch.matmul(h, {w})",
                "h = h.mm({w}).add_({b})",
                "h = torch.baddbmm({b}.expand(1, len(h), -1), h[None], {w}[None])[0]",
            ]
        )
        line = draft.draw.choice(forms).format(w=weight, b=bias_text)
    draft.say(line)
    draft.shape = (outputs,)
    return True


def _dressed(draft: Draft, name: str) -> None:
    """Parametrizations and weights that lie in memory in another way."""
    if draft.chance(0.75):
        return
    data = [
        f"{name}.weight = nn.Parameter({name}.weight.detach().clone().transpose(0, 1).contiguous().transpose(0, 1))",
        f"{name}.weight = nn.Parameter(torch.stack([{name}.weight.detach()] * 2, -1)[..., 1])",
        f"{name}.bias = nn.Parameter(kit.numbers({name}.weight.shape[0], 3, dtype=D)[:, 1])",
        f"{name}.weight.requires_grad_(False)",
        f"nn.utils.parametrizations.weight_norm({name})",
        f"nn.utils.parametrize.register_parametrization({name}, 'weight', Doubled())",
        f"nn.utils.parametrizations.spectral_norm({name})",
        f"self.alias{draft.name('')} = {name}",
        f"{name}.weight.data = {name}.weight.data.flip(0)",
    ]
    line = draft.draw.choice(data)
    draft.evaluated |= "spectral" in line
    draft.init.append(line)


def convolution(draft: Draft) -> bool:
    """A convolution of any rank, in one of the ways of writing it."""
    rank = len(draft.shape) - 1
    if rank not in (1, 2, 3):
        return False
    draw, inputs, sides = draft.draw, draft.shape[0], draft.shape[1:]
    wide = inputs >= 64 and draft.chance(0.7)
    outputs = draw.choice([64, 64, 96, 128]) if wide else draw.choice([1, 3, 8, 16, 64])
    kernel, stride = draw.choice(
        [(3, 1), (3, 1), (5, 1), (4, 2), (5, 2), (1, 1), (3, 2), (2, 1), (7, 1), (9, 2)]
        if not wide
        else [(3, 1), (3, 1), (5, 1), (4, 2), (5, 2)]
    )
    padding = draw.choice([kernel // 2, kernel // 2, (kernel - 1) // 2, 0])
    dilation = 2 if draft.chance(0.08) else 1
    groups = (
        draw.choice([2, inputs]) if inputs % 2 == 0 and outputs % inputs == 0 and draft.chance(0.15) else 1
    )
    groups = groups if outputs % groups == 0 else 1
    results = [(side + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1 for side in sides]
    shape = (outputs, inputs // groups, *[kernel] * rank)
    if min(results) < 1 or not draft.pay(math.prod(shape) * math.prod(results)):
        return False
    options = f"stride={stride}, padding={padding}, dilation={dilation}, groups={groups}"
    if draft.chance(0.5):
        mode = (
            draw.choice(["circular", "reflect", "replicate"])
            if draft.chance(0.1) and 0 < padding < min(sides) and rank < 3
            else "zeros"
        )
        bias = draft.chance(0.8)
        name = draft.layer(
            f"nn.Conv{rank}d({inputs}, {outputs}, {kernel}, {options}, bias={bias}, padding_mode={mode!r})"
        )
        draft.layers.append(name)
        _dressed(draft, name)
        call = draw.choice(
            ["{0}(h)", "{0}(h)", "{0}(input=h)", "{0}._conv_forward(h, {0}.weight, {0}.bias)"]
        ).format(name)
    else:
        weight, bias_text = (
            draft.tensor(shape, fan(shape), of_x=True),
            draft.tensor((outputs,), 0.3, of_x=True),
        )
        call = draw.choice(
            [
                f"F.conv{rank}d(h, {weight}, {bias_text}, {options})",
                f"torch.conv{rank}d(h, {weight}, {bias_text}, {stride}, {padding}, {dilation}, {groups})",
                f"F.conv{rank}d(input=h, weight={weight}, bias={bias_text}, {options})",
                f"F.conv{rank}d(h, {weight}, {options})",
                f"torch.convolution(h, {weight}, {bias_text}, [{stride}] * {rank}, [{padding}] * {rank}, [{dilation}] * {rank}, False, [0] * {rank}, {groups})",
            ]
        )
    same = outputs == inputs and tuple(results) == sides
    joined = [f"h = {call}"] * 3
    if same:
        joined += [
            f"h = h + {call}",
            f"y = {call}; y += h; h = y",
            f"h = {call}.add_(h)",
            f"h += {call}",
            f"y = {call}; h = torch.cat([h, y], 1)[:, ::2]",
        ]
    draft.say(draw.choice(joined))
    draft.shape = (outputs, *results)
    return True


def transposed(draft: Draft) -> bool:
    """A transposed convolution."""
    if len(draft.shape) != 3:
        return False
    (inputs, height, width), draw = draft.shape, draft.draw
    outputs = draw.choice([64, 64, 8, 3] if inputs >= 64 else [3, 8, 16])
    kernel, stride, padding, extra = draw.choice(
        [(4, 2, 1, 0), (4, 2, 1, 0), (5, 2, 2, 1), (3, 1, 1, 0), (5, 1, 2, 0), (3, 2, 1, 1)]
    )
    sides = [(side - 1) * stride - 2 * padding + kernel + extra for side in (height, width)]
    if max(sides) > 40 or min(sides) < 1 or not draft.pay(inputs * outputs * kernel**2 * height * width):
        return False
    if draft.chance(0.6):
        name = draft.layer(
            f"nn.ConvTranspose2d({inputs}, {outputs}, {kernel}, {stride}, {padding}, output_padding={extra})"
        )
        draft.say(f"h = {name}(h)")
    else:
        shape = (inputs, outputs, kernel, kernel)
        weight, bias = draft.tensor(shape, fan(shape), of_x=True), draft.tensor((outputs,), 0.3, of_x=True)
        draft.say(
            f"h = F.conv_transpose2d(h, {weight}, {bias}, stride={stride}, padding={padding}, output_padding={extra})"
        )
    draft.shape = (outputs, *sides)
    return True


def styled(draft: Draft) -> bool:
    """A kernel, or a bias, for each row, made of the row itself."""
    if len(draft.shape) != 3 or draft.shape[0] > 64:
        return False
    channels, height, width = draft.shape
    if not draft.pay(9 * channels**2 * height * width):
        return False
    weight = draft.tensor((channels, channels, 3, 3), fan((channels, channels, 3, 3)))
    style = draft.draw.choice(["r.mean((1, 2))", "r.amax((1, 2))", "r[:, 0, 0].tanh()"])
    draft.kinked |= "amax" in style
    of = draft.draw.choice(
        [
            f"F.conv2d(r[None], {weight} * (1 + {style})[:, None, None], padding=1)",
            f"F.conv2d(r[None], {weight}, 3 * {style}, padding=1)",
            f"F.conv2d(r[None], {weight} * (1 + {style})[:, None, None, None], {style}, 1, 1)",
        ]
    )
    draft.say(f"h = torch.cat([{of} for r in h])")
    return True


def mixing(draft: Draft) -> bool:
    """Pools, gates, attention, shuffles, changes of layout on images."""
    if len(draft.shape) != 3:
        return False
    channels, height, width = draft.shape
    even = height % 2 == 0 and width % 2 == 0
    ways: list[tuple[str, tuple[int, ...]]] = [
        ("h = h.contiguous(memory_format=torch.channels_last)", draft.shape),
        ("h = h.transpose(2, 3)", (channels, width, height)),
        ("h = h.flip(3)", draft.shape),
        ("h = h.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)", draft.shape),
        ("h = h * torch.sigmoid(h.mean((2, 3), keepdim=True))", draft.shape),
        ("h = F.pad(h, (1, 1, 1, 1))", (channels, height + 2, width + 2)),
        ("h = torch.cat([h, h.tanh()], 1)", (2 * channels, height, width)),
        ("h = h.roll(1, 2)", draft.shape),
        ("h, y = h, h.detach(); h = h + y", draft.shape),
        ("h = h.unflatten(1, (-1, 1)).squeeze(2)", draft.shape),
    ]
    if even:
        ways += [
            (f"h = {pool}(h, 2)", (channels, height // 2, width // 2))
            for pool in ("F.avg_pool2d", "F.max_pool2d", "F.max_pool2d", "F.avg_pool2d")
        ]
        ways.append(("h = F.pixel_unshuffle(h, 2)", (4 * channels, height // 2, width // 2)))
    if height * width <= 64:
        ways.append(
            (
                "t = h.flatten(2).transpose(1, 2); h = F.scaled_dot_product_attention(t, t, t).transpose(1, 2).reshape(h.shape)",
                draft.shape,
            )
        )
        ways.append(
            (
                "t = h.flatten(2); a = (t.transpose(1, 2) @ t / 4).softmax(-1); h = h + (t @ a).view_as(h)",
                draft.shape,
            )
        )
    if max(height, width) <= 16:
        ways.append(
            ("h = F.interpolate(h, scale_factor=2, mode='nearest')", (channels, 2 * height, 2 * width))
        )
        ways.append(
            ("h = F.interpolate(h, scale_factor=2, mode='bilinear')", (channels, 2 * height, 2 * width))
        )
    line, shape = draft.draw.choice(ways)
    draft.kinked |= "max_pool" in line
    draft.say(line)
    draft.shape = shape
    return True
