"""Layers of forward passes, in the ways of writing them."""

from __future__ import annotations

import math

from tests.hostile.draft import Draft, fan


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
        (
            f"{name}.weight = nn.Parameter({name}.weight.detach().clone().transpose(0, "
            "1).contiguous().transpose(0, 1))"
        ),
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
                (
                    f"torch.convolution(h, {weight}, {bias_text}, [{stride}] * {rank}, [{padding}] "
                    f"* {rank}, [{dilation}] * {rank}, False, [0] * {rank}, {groups})"
                ),
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
            f"h = F.conv_transpose2d(h, {weight}, {bias}, stride={stride}, padding={padding}, "
            f"output_padding={extra})"
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
