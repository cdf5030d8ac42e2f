"""Records as JSON has them: infinity and NaN, which it has not, are null."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["as_json", "plain"]


def plain(value: Any) -> Any:
    """The value with null for every number that is not finite.

    Examples:
        >>> plain({"a": (1.0, float("nan"))})
        {'a': [1.0, None]}
    """
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_json(record: Any) -> str:
    """As text, over several lines."""
    return json.dumps(plain(record), indent=1)
