"""What makes a tiny run judge itself as it trains."""

from __future__ import annotations

EVERY = [
    *("--set", "evaluation.every=1", "--set", "evaluation.count=8"),
    *("--set", 'evaluation.metrics=["kid", "swd"]', "--set", "evaluation.features=pixels"),
]
