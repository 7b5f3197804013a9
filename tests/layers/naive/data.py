"""DummyData, the one data layer that needs neither files nor arrays."""

from __future__ import annotations

import numpy as np

from caffe_compat.rng import Rng
from layers.naive.given import Given


def dummy_data(given: Given) -> list[np.ndarray]:
    param, stream = given.param.dummy_data_param, Rng(given.seed)
    tops = []
    for i in range(given.tops):
        sizes = (param.num, param.channels, param.height, param.width)
        shape = [values[i if len(values) > 1 else 0] for values in sizes if values]
        if param.shape:
            shape = list(param.shape[i if len(param.shape) > 1 else 0].dim)
        top = np.zeros(shape, np.float32)
        if param.data_filler:
            filler = param.data_filler[i if len(param.data_filler) > 1 else 0]
            reach = (3 / (top.size / shape[0])) ** 0.5
            if filler.type == "gaussian":
                stream.gaussian(filler.mean, filler.std, top)
            elif filler.type == "xavier":
                stream.uniform(-reach, reach, top)
        tops.append(top)
    return tops


NAIVE = {
    "DummyData": dummy_data,
}
