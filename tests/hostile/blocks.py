"""What people put between layers."""

from __future__ import annotations

import math

from tests.hostile.activations import plain_activation
from tests.hostile.draft import Draft
from tests.hostile.layers import plain_layer


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
                (
                    "t = h.flatten(2).transpose(1, 2); h = F.scaled_dot_product_attention(t, t, "
                    "t).transpose(1, 2).reshape(h.shape)"
                ),
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
