"""Small nets and solvers for the tests of solvers."""

from __future__ import annotations

from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

import caffe_compat as caffe
from caffe_compat.solvers import Solver

# RoIs with labels, pooled, dropped out: a data layer with a place in its data, and random numbers
NET = """\
name: "shapes"
layer { name: "data" type: "RoIData" top: "data" top: "rois" top: "labels"
        python_param { param_str: "'num_classes': 3" } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 1 } param { lr_mult: 2 }
        convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "pool" type: "ROIPooling" bottom: "conv" bottom: "rois" top: "pool"
        roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 1 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" param { name: "w" } param { lr_mult: 0 }
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } bias_filler { value: 0.1 } } }
layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" dropout_param { dropout_ratio: 0.4 } }
layer { name: "score" type: "InnerProduct" bottom: "fc" top: "score"
        inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "labels" top: "loss" }
"""
# data made of random numbers, which start quickly; weights enough for writing them to take time
DRAWN = """\
layer { name: "in" type: "DummyData" top: "x" top: "t"
        dummy_data_param { shape { dim: 2 dim: 60 } shape { dim: 2 dim: 3 } data_filler { type: "gaussian" } } }
layer { name: "fc" type: "InnerProduct" bottom: "x" top: "fc"
        inner_product_param { num_output: 3000 weight_filler { type: "gaussian" std: 0.02 } } }
layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" }
layer { name: "out" type: "InnerProduct" bottom: "fc" top: "out" inner_product_param { num_output: 3 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "out" bottom: "t" top: "loss" }
"""
COMMON = 'base_lr: 0.05 lr_policy: "multistep" gamma: 0.5 stepvalue: 4 stepvalue: 6 weight_decay: 0.01 '
TYPES = {
    "SGD": "momentum: 0.9",
    "Nesterov": "momentum: 0.9",
    "AdaGrad": "",
    "RMSProp": "rms_decay: 0.9",
    "AdaDelta": "momentum: 0.9 delta: 1e-6",
    "Adam": "momentum: 0.9",
}


def minibatch(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.RandomState(seed)
    x, y = np.sort(rng.randint(0, 9, (5, 2))), np.sort(rng.randint(0, 7, (5, 2)))
    rois = np.stack([np.zeros(5), x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1)
    data = rng.standard_normal((1, 3, 9, 11))
    blobs = {"data": data, "rois": rois, "labels": rng.randint(0, 3, 5)}
    return {name: array.astype(np.float32) for name, array in blobs.items()}


def make(folder: Path, text: str, net: str = NET, data: bool = True, engine: str | None = None) -> Solver:
    """The solver of this text, for `net`, whose first layer serves five minibatches."""
    folder.mkdir(exist_ok=True)
    (folder / "net.prototxt").write_text(net)
    (folder / "solver.prototxt").write_text(f'net: "net.prototxt"\n{text}\n')
    solver = caffe.get_solver(folder / "solver.prototxt", engine=engine)
    if data:
        for each in (solver.net, *solver.test_nets):
            each.layers[0].set_blobs([minibatch(i) for i in range(5)])
    return solver


def values(solver: Solver) -> dict[str, np.ndarray]:
    """Everything that training changes: params, history, the mean loss, and where the random numbers stand."""
    result = {
        f"{name}:{j}": blob.data.copy()
        for name, blobs in solver.net.params.items()
        for j, blob in enumerate(blobs)
    }
    result |= {f"history {i}": array.copy() for i, array in enumerate(solver.history.get())}
    draws = np.empty(4, np.uint32)
    caffe.rng.caffe_rng().raw(draws)
    return result | {
        "loss": solver.net.blobs["loss"].data.copy(),
        "smoothed": np.array(solver.smoothed.mean),
        "draws": draws,
        "numpy": np.random.rand(3),
        "rate": np.array(solver.learning_rate.at(solver.iter)),
    }


def assert_identical(got: dict[str, np.ndarray], want: dict[str, np.ndarray]) -> None:
    assert got.keys() == want.keys()
    for key, value in want.items():
        np.testing.assert_array_equal(got[key], value, err_msg=key)


def train_forever(folder: Path, text: str, state: Path | None, running: Connection) -> None:
    """Train DRAWN from a state until killed; send the iteration after the first one."""
    solver = make(folder, text, DRAWN, data=False)
    if state:
        solver.restore(state)
    solver.step(1)
    running.send(solver.iter)
    while True:
        solver.step(1)
