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
    def ratio(self) -> float | None: ...


def picture(bars: Sequence[Bar]) -> str:
    """An SVG with one bar a way that has a floor; a line marks the floor."""
    shown_bars = [(bar.way, bar.ratio) for bar in bars if bar.ratio is not None]
    longest = max((ratio for _, ratio in shown_bars), default=1.0)
    scale = _WIDTH / max(longest, 1.0)
    height = _ROW * len(shown_bars) + 10
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
    for number, (way, ratio) in enumerate(shown_bars):
        y = number * _ROW + 5
        colour = "#2563eb" if way.endswith("_ours") else "#cbd5e1"
        shown += [
            f'<text x="{_NAME - 8}" y="{y + 13}" text-anchor="end">{escape(way)}</text>',
            (
                f'<rect x="{_NAME}" y="{y}" width="{ratio * scale:.0f}" height="16" '
                f'fill="{colour}"/>'
            ),
            f'<text x="{_NAME + ratio * scale + 5:.0f}" y="{y + 13}">{ratio:.2f}</text>',
        ]
    return "\n".join([*shown, "</svg>", ""])
