"""The loss over the iterations of a training."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.solvers import Iteration

POINTS = 600  # a screen does not show more


def section() -> str:
    """The HTML into which the page's program draws the points."""
    return """\
<section><h2>Loss</h2>
<p class="hint"><i class="key light"></i>loss of each iteration, least to greatest
<i class="key"></i>averaged (average_loss) <i class="key rate"></i>learning rate, on a scale of its own</p>
<div id="curve"></div></section>"""


def points(iterations: Sequence[Iteration]) -> dict[str, list[float]]:
    """At most POINTS points, each for the same number of iterations: the number, average and learning rate of the last
    one, and the least and the greatest loss of all."""
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
