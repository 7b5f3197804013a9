"""Places the boxes of a graph that has no cycles in ranks, from top to bottom, with few crossings and short edges.

Source: Sugiyama, Tagawa, Toda, Methods for Visual Understanding of Hierarchical System Structures, 1981: ranks by
longest path, dummy boxes where an edge passes a rank, barycenter ordering. Positions within a rank: least squares
with gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

GAP = 26.0  # between the boxes of a rank
SWEEPS = 24
SMOOTHING = 600
STIFF = (1.0, 1.0, 4.0)  # how straight a part of an edge wants to be: none, one, both of its ends are dummies
SOFT = 3.0  # a distance that is as good as none


@dataclass
class Edge:
    """From a box to a box (indices), out of the upper one at `port`, an offset from its middle."""

    source: int
    target: int
    port: float = 0.0


@dataclass
class Layout:
    """x: of each box's middle; rank: from 0. passes: for each edge, the x where it passes the ranks between."""

    x: list[float]
    rank: list[int]
    passes: list[list[float]]


@dataclass
class _Link:
    upper: int
    lower: int
    port: float
    weight: float


def place(widths: Sequence[float], edges: Sequence[Edge]) -> Layout:
    """Place boxes of these widths. The edges run from lower to higher indices."""
    rank = _ranks(len(widths), edges)
    width, ranks_of = list(widths), list(rank)
    chains, links = [], []
    for edge in edges:
        chain = [edge.source]
        for r in range(rank[edge.source] + 1, rank[edge.target]):
            width.append(8.0)
            ranks_of.append(r)
            chain.append(len(width) - 1)
        chain.append(edge.target)
        chains.append(chain[1:-1])
        for k, (upper, lower) in enumerate(pairwise(chain)):
            inner = (upper >= len(widths)) + (lower >= len(widths))
            links.append(_Link(upper, lower, edge.port if k == 0 else 0.0, STIFF[inner]))
    rows: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
    for box, r in enumerate(ranks_of):
        rows[r].append(box)
    rows = _ordered(rows, links, len(width))
    x = _positions(rows, links, width)
    left = min((x[box] - width[box] / 2 for box in range(len(widths))), default=0.0)
    left = min([left, *(x[box] for chain in chains for box in chain)])
    x = [value - left for value in x]
    return Layout(x[: len(widths)], rank, [[x[box] for box in chain] for chain in chains])


def _ranks(count: int, edges: Sequence[Edge]) -> list[int]:
    """The longest path from the top; then boxes without anything above move down to just above what they feed."""
    rank = [0] * count
    for edge in sorted(edges, key=lambda e: e.target):
        rank[edge.target] = max(rank[edge.target], rank[edge.source] + 1)
    fed = {edge.target for edge in edges}
    for box in range(count):
        below = [rank[edge.target] for edge in edges if edge.source == box]
        if box not in fed and below:
            rank[box] = min(below) - 1
    return rank


# ---- order within ranks ---------------------------------------------------------------------------------------


def _ordered(rows: list[list[int]], links: Sequence[_Link], count: int) -> list[list[int]]:
    """The order with the fewest crossings that sweeps by barycenters, down and up, come by."""
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for link in links:
        above[link.lower].append(link.upper)
        below[link.upper].append(link.lower)
    best, fewest = rows, _crossings(rows, below)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        near = above if down else below
        rows = [list(row) for row in rows]
        order = range(1, len(rows)) if down else range(len(rows) - 2, -1, -1)
        for r in order:
            fixed = rows[r - 1 if down else r + 1]
            at = {box: k for k, box in enumerate(fixed)}
            middles = {}
            for k, box in enumerate(rows[r]):
                known = [at[other] for other in near[box] if other in at]
                middles[box] = sum(known) / len(known) if known else k  # without neighbours it stays
            rows[r].sort(key=middles.__getitem__)
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _crossings(rows: Sequence[Sequence[int]], below: Sequence[Sequence[int]]) -> int:
    total = 0
    for row, under in pairwise(rows):
        at = {box: k for k, box in enumerate(under)}
        ends = [k for box in row for k in sorted(at[other] for other in below[box] if other in at)]
        total += sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
    return total


# ---- positions within ranks -----------------------------------------------------------------------------------


def _positions(rows: Sequence[Sequence[int]], links: Sequence[_Link], width: Sequence[float]) -> list[float]:
    """Each box as near to the weighted mean of its neighbours as gaps allow; sweeps down and up."""
    x = [0.0] * len(width)
    for row in rows:
        left = -sum(width[box] + GAP for box in row) / 2
        for box in row:
            x[box] = left + width[box] / 2
            left += width[box] + GAP
    up: list[list[tuple[int, float, float]]] = [[] for _ in width]
    down: list[list[tuple[int, float, float]]] = [[] for _ in width]
    for link in links:
        up[link.lower].append((link.upper, link.port, link.weight))
        down[link.upper].append((link.lower, -link.port, link.weight))
    for sweep in range(SWEEPS + SMOOTHING):
        near = (
            [down, up][sweep % 2] if sweep < SWEEPS else None
        )  # at first from one side: far boxes come near
        for row in rows if sweep % 2 else list(reversed(rows)):
            _settle(row, x, width, [(near and near[box]) or up[box] + down[box] for box in row])
    return x


def _settle(
    row: Sequence[int],
    x: list[float],
    width: Sequence[float],
    near: Sequence[Sequence[tuple[int, float, float]]],
) -> None:
    """Move the boxes of a rank; `near` has the neighbours of each: the box, how far from it, and its weight."""
    wanted, weights = [], []
    for box, neighbours in zip(row, near, strict=True):
        # a distance counts as such, not squared: few sharp bends instead of slanting chains
        aims = [
            (x[other] + port, w / (abs(x[other] + port - x[box]) + SOFT)) for other, port, w in neighbours
        ]
        weight = sum(w for _, w in aims)
        wanted.append(sum(aim * w for aim, w in aims) / weight if weight else x[box])
        weights.append(weight or 1e-3)
    for box, value in zip(row, _apart(wanted, weights, [width[box] for box in row]), strict=True):
        x[box] = value


def _apart(wanted: Sequence[float], weights: Sequence[float], widths: Sequence[float]) -> list[float]:
    """The positions nearest to the wanted ones (weighted least squares) that keep order and gaps.

    Isotonic regression by pooling adjacent violators.
    """
    shifts = [0.0]
    for a, b in pairwise(widths):
        shifts.append(shifts[-1] + (a + b) / 2 + GAP)
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many boxes
    for value, weight, shift in zip(wanted, weights, shifts, strict=False):
        mean, many = value - shift, 1
        while pools and pools[-1][0] > mean:
            other, heavy, more = pools.pop()
            mean = (mean * weight + other * heavy) / (weight + heavy)
            weight, many = weight + heavy, many + more
        pools.append((mean, weight, many))
    means = [mean for mean, _, many in pools for _ in range(many)]
    return [mean + shift for mean, shift in zip(means, shifts, strict=False)]
