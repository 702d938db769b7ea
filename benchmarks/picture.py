"""The figures as bars: how many floors each way takes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Protocol

_ROW, _NAME, _WIDTH = 22, 230, 420


class Bar(Protocol):
    """What is drawn: a way and its ratio to the floor."""

    @property
    def way(self) -> str: ...
    @property
    def ratio(self) -> float: ...


def picture(bars: Sequence[Bar]) -> str:
    """An SVG with one bar a way; a line marks the floor."""
    longest = max((bar.ratio for bar in bars), default=1.0)
    scale = _WIDTH / max(longest, 1.0)
    height = _ROW * len(bars) + 10
    shown = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_NAME + _WIDTH + 60}" '
            f'height="{height}" font-family="sans-serif" font-size="12">'
        ),
        (
            f'<line x1="{_NAME + scale:.0f}" x2="{_NAME + scale:.0f}" y1="0" y2="{height}" '
            'stroke="#888" stroke-dasharray="3"/>'
        ),
    ]
    for number, bar in enumerate(bars):
        y = number * _ROW + 5
        colour = "#2563eb" if bar.way.endswith("_ours") else "#cbd5e1"
        shown += [
            f'<text x="{_NAME - 8}" y="{y + 13}" text-anchor="end">{escape(bar.way)}</text>',
            (
                f'<rect x="{_NAME}" y="{y}" width="{bar.ratio * scale:.0f}" height="16" '
                f'fill="{colour}"/>'
            ),
            f'<text x="{_NAME + bar.ratio * scale + 5:.0f}" y="{y + 13}">{bar.ratio:.2f}</text>',
        ]
    return "\n".join([*shown, "</svg>", ""])
