"""What each layer takes, and how long its products would take at the speed of sgemm."""

from __future__ import annotations

import math
import statistics
import time
from typing import Any

import numpy as np

from caffe_compat.layers.kernels.blas import gemm
from caffe_compat.net import Net
from caffe_compat.tools.run import run_net

SIZE = 2048  # of the matrices that sgemm is measured with


def sgemm_gflops(repeats: int) -> float:
    """The best of twice `repeats` products of large matrices, on the threads of the kernels."""
    a, b, out = (np.ones((SIZE, SIZE), np.float32) for _ in range(3))
    seconds = []
    for _ in range(2 * repeats):
        start = time.perf_counter()
        gemm(a, b, out)
        seconds.append(time.perf_counter() - start)
    return 2e-9 * SIZE**3 / min(seconds)


def products(net: Net, index: int) -> tuple[float, float]:
    """GFLOP of a layer's products as its definition has them, forward and backward (for the gradients it makes)."""
    message, layer = net.param.layer[index], net.layers[index]
    if message.type not in ("Convolution", "InnerProduct"):
        return 0.0, 0.0
    outputs = math.prod(net.tops[index][0].shape)
    one = 2e-9 * outputs * math.prod(layer.blobs[0].shape[1:])
    plan = net.plan[index]
    gradients = sum(plan.propagate_down) + bool(plan.param_propagate_down and plan.param_propagate_down[0])
    return one, one * gradients * plan.need_backward


def rows(net: Net, repeats: int, backward: bool) -> list[dict[str, Any]]:
    """For each layer name, type, milliseconds (median) forward and backward, GFLOP, and both bounds in ms.

    A layer that another one's step computes has about 0 ms; the step's time is its first layer's.
    """
    gflops = sgemm_gflops(repeats)
    if backward:
        times = [(run.forward_ms, run.backward_ms) for run in run_net(net, repeats).layers]
    else:
        times = [(ms, None) for ms in _forward_ms(net, repeats)]
    result = []
    for i, (forward_ms, backward_ms) in enumerate(times):
        forward, behind = products(net, i)
        result.append(
            {
                "name": net.layer_names[i],
                "type": net.param.layer[i].type,
                "forward_ms": forward_ms,
                "forward_gflop": forward,
                "forward_bound_ms": 1000 * forward / gflops,
                "backward_ms": backward_ms,
                "backward_gflop": behind,
                "backward_bound_ms": 1000 * behind / gflops,
                "sgemm_gflops": gflops,
            }
        )
    return result


def _forward_ms(net: Net, repeats: int) -> list[float]:
    from caffe_compat.tools.run import Clock

    clock = Clock(net)
    for _ in range(repeats):
        net.forward()
    clock.stop()
    return [statistics.median(times) for times in clock.forward]
