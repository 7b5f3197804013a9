"""Times a net layer by layer, logged in the words of `caffe time`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from caffe_compat.net import Net
from caffe_compat.tools.run import Clock

logger = logging.getLogger("caffe_compat.tools")


@dataclass
class LayerTime:
    """Mean milliseconds of a layer in a pass; `backward_ms` is 0 where the net runs no backward."""

    name: str
    type: str
    forward_ms: float
    backward_ms: float


@dataclass
class Timing:
    """Mean milliseconds of a pass over a net. `python_*`: the part of its Python layers."""

    iterations: int
    layers: list[LayerTime]
    forward_ms: float
    backward_ms: float
    forward_backward_ms: float
    total_ms: float

    @property
    def python_layers(self) -> list[LayerTime]:
        return [layer for layer in self.layers if layer.type == "Python"]

    @property
    def python_forward_ms(self) -> float:
        return sum(layer.forward_ms for layer in self.python_layers)

    @property
    def python_backward_ms(self) -> float:
        return sum(layer.backward_ms for layer in self.python_layers)

    def as_dict(self) -> dict:
        return {
            **asdict(self),
            "python_forward_ms": self.python_forward_ms,
            "python_backward_ms": self.python_backward_ms,
        }


def time_net(net: Net, iterations: int) -> Timing:
    """Run a net forward and backward once unmeasured, then `iterations` times; returns the means.

    Backward runs the layers that the net's plan has, while Caffe calls all of them. What is between the layers
    (reshaping, losses) counts for the passes, not for a layer.
    Source: the action `time` of the caffe binary.
    """
    logger.info("Performing Forward")
    logger.info("Initial loss: %g", net.forward_from_to())
    logger.info("Performing Backward")
    net.backward()
    logger.info("*** Benchmark begins ***")
    logger.info("Testing for %d iterations.", iterations)
    clock = Clock(net)
    begun = time.perf_counter()
    forward_ms = backward_ms = 0.0
    try:
        for i in range(iterations):
            net.clear_param_diffs()
            forward = _ms(lambda: net.forward_from_to())
            backward = _ms(lambda: net.backward_from_to())
            forward_ms, backward_ms = forward_ms + forward, backward_ms + backward
            logger.info("Iteration: %d forward-backward time: %g ms.", i + 1, forward + backward)
    finally:
        clock.stop()
    total_ms = 1000 * (time.perf_counter() - begun)
    layers = [
        LayerTime(
            node.param.name,
            node.param.type,
            sum(clock.forward[i]) / iterations,
            sum(clock.backward[i]) / iterations,
        )
        for i, node in enumerate(net.graph.nodes)
    ]
    result = Timing(
        iterations, layers, forward_ms / iterations, backward_ms / iterations, total_ms / iterations, total_ms
    )
    _log(result)
    return result


def _ms(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start)


def _log(timing: Timing) -> None:
    logger.info("Average time per layer: ")
    for layer in timing.layers:
        logger.info("%10s\tforward: %g ms.", layer.name, layer.forward_ms)
        logger.info("%10s\tbackward: %g ms.", layer.name, layer.backward_ms)
    logger.info("Average Forward pass: %g ms.", timing.forward_ms)
    logger.info("Average Backward pass: %g ms.", timing.backward_ms)
    logger.info("Average Forward-Backward: %g ms.", timing.forward_backward_ms)
    logger.info("Total Time: %g ms.", timing.total_ms)
    if timing.python_layers:
        logger.info(
            "Python layers (%s), of these: forward %g ms, backward %g ms.",
            ", ".join(layer.name for layer in timing.python_layers),
            timing.python_forward_ms,
            timing.python_backward_ms,
        )
    logger.info("*** Benchmark ends ***")
