"""Bags of instances, and the loss that goes with them."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import MILParameter
from layers.naive.given import Given, taken


def mil(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom

    def value(at):
        places = list(x[at[:2]].ravel())
        if given.param.mil_param.type == MILParameter.NOR:
            return max(1 - math.prod(1 - p for p in places), max(places))
        return max(places)

    return [taken((*x.shape[:2], 1, 1), value)]


def mil_of_rows(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.mil_param
    rows = param.context_per_roi + param.instances_per_bag
    bags = [x[i : i + rows] for i in range(0, len(x) - rows + 1, rows)]
    return [taken((len(bags), x.shape[1], 1, 1), lambda at: max(row[at[1]].item() for row in bags[at[0]]))]


def cross_entropy_loss(given: Given) -> list[np.ndarray]:
    pairs = list(zip(*(x.ravel() for x in given.bottom), strict=True))
    costs = [t * math.log(max(p, 1e-5)) + (1 - t) * math.log(max(1 - p, 1e-5)) for p, t in pairs]
    return [np.array(-sum(costs) / len(costs))]


NAIVE = {"MIL": mil, "MILOfRows": mil_of_rows, "CrossEntropyLoss": cross_entropy_loss}
