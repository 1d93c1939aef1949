"""Line charts as inline SVG: axes, ticks, labels, a legend, nothing to load."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D")
"""Okabe and Ito's colours, the darker ones first."""

MOST_POINTS = 400

_RIGHT, _TOP, _BOTTOM = 16, 14, 46


@dataclass(frozen=True)
class _Scale:
    """A linear map from values between ``low`` and ``high`` to pixels between ``start`` and ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def line_chart(
    lines: Mapping[str, Sequence[Point]],
    *,
    x_label: str,
    y_label: str,
    y_range: tuple[float, float] | None = None,
    markers: bool = False,
    size: tuple[int, int] = (540, 300),
) -> str:
    """Draw lines over common axes.

    Parameters
    ----------
    lines : mapping of str to sequence of (x, y)
        By name; points that are not finite are left out, long lines are thinned to 400 points.
    x_label, y_label : str
        What the axes show, with unit.
    y_range : (low, high), optional
        Fixed limits; fitted to the data if left out.
    markers : bool, optional
        Put a dot on every point, for lines of few points.
    size : (width, height), optional
        Size in CSS pixels before the page scales it.

    Returns
    -------
    str
        One ``<figure>`` element, or an empty string if there is no point to draw.
    """
    shown = {
        name: _thinned([p for p in points if all(map(math.isfinite, p))]) for name, points in lines.items()
    }
    shown = {name: points for name, points in shown.items() if points}
    if not shown:
        return ""
    width, height = size
    xs = [x for points in shown.values() for x, _ in points]
    ys = [y for points in shown.values() for _, y in points]
    x_low, x_high = _padded(min(xs), max(xs))
    y_ticks = _ticks(*y_range) if y_range else _ticks(*_padded(min(ys), max(ys)), outside=True)
    y_low, y_high = y_range or (y_ticks[0], y_ticks[-1])
    left = 38 + 7 * max(len(_number(tick)) for tick in y_ticks)
    across = _Scale(x_low, x_high, left, width - _RIGHT)
    up = _Scale(y_low, y_high, height - _BOTTOM, _TOP)

    parts = [
        f'<svg viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(y_label)} over {escape(x_label)}">'
    ]
    for tick in y_ticks:
        y = up(tick)
        parts.append(f'<line class="grid" x1="{left}" x2="{width - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(tick)}</text>'
        )
    base = height - _BOTTOM
    for tick in _ticks(x_low, x_high, whole=all(float(x).is_integer() for x in xs)):
        x = across(tick)
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{base}" y2="{base + 5}"/>')
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{base + 19}" text-anchor="middle">{_number(tick)}</text>'
        )
    parts.append(f'<path class="axis" d="M{left} {_TOP}V{base}H{width - _RIGHT}"/>')
    middle_x, middle_y = (left + width - _RIGHT) / 2, (_TOP + base) / 2
    parts.append(
        f'<text class="label" x="{middle_x}" y="{height - 6}" text-anchor="middle">{escape(x_label)}</text>'
    )
    parts.append(
        f'<text class="label" x="14" y="{middle_y}" text-anchor="middle" '
        f'transform="rotate(-90 14 {middle_y})">{escape(y_label)}</text>'
    )
    for number, points in enumerate(shown.values()):
        parts.append(_line([(across(x), up(y)) for x, y in points], COLOURS[number % len(COLOURS)], markers))
    parts.append("</svg>")
    return f'<figure class="chart">{"".join(parts)}{_legend(list(shown))}</figure>'


def _line(points: list[Point], colour: str, markers: bool) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = points if markers or len(points) == 1 else []
    circles = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{colour}"/>' for x, y in dots)
    return f'<polyline class="line" stroke="{colour}" points="{path}"/>{circles}'


def _legend(names: list[str]) -> str:
    entries = "".join(
        f'<span><i style="background:{COLOURS[number % len(COLOURS)]}"></i>{escape(name)}</span>'
        for number, name in enumerate(names)
    )
    return f'<figcaption class="legend">{entries}</figcaption>'


def _thinned(points: Sequence[Point]) -> list[Point]:
    if len(points) <= MOST_POINTS:
        return list(points)
    last = len(points) - 1
    return [points[round(i * last / (MOST_POINTS - 1))] for i in range(MOST_POINTS)]


def _padded(low: float, high: float) -> tuple[float, float]:
    if high > low:
        return low, high
    margin = abs(low) * 0.1 or 1.0
    return low - margin, high + margin


def _ticks(low: float, high: float, *, whole: bool = False, outside: bool = False) -> list[float]:
    """Return about five round numbers (1, 2 or 5 times a power of ten apart) within or around two values."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    if whole:
        step = max(1.0, step)
    if outside:
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    else:
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)] or [low, high]


def _number(value: float) -> str:
    return f"{value:g}"
