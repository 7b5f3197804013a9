"""The loss over the iterations of a training."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.solvers import Iteration

POINTS = 600  # more cannot be told apart on a screen


def section() -> str:
    """Where the page's program draws the points."""
    return """\
<section><h2>Loss</h2>
<p class="hint"><i class="key light"></i>loss of each iteration, least to greatest
<i class="key"></i>averaged (average_loss) <i class="key rate"></i>learning rate, on a scale of its own</p>
<div id="curve"></div></section>"""


def points(iterations: Sequence[Iteration]) -> dict[str, list[float]]:
    """At most POINTS points, each of as many iterations: the last one's number, average and rate, and the least and
    the greatest loss."""
    size = -(-len(iterations) // POINTS) or 1
    parts = [iterations[i : i + size] for i in range(0, len(iterations), size)]
    last = [part[-1] for part in parts]
    return {
        "iter": [one.iter for one in last],
        "least": [min(one.loss for one in part) for part in parts],
        "greatest": [max(one.loss for one in part) for part in parts],
        "average": [one.smoothed_loss for one in last],
        "lr": [one.lr for one in last],
    }
