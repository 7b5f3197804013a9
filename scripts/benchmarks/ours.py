"""This project's program of the benchmark: one case, one engine, in a process of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from benchmarks import by_layer
from benchmarks import prepare as prepare_file
from benchmarks.cases import PARAMS, Case
from benchmarks.timing import measure, say
from benchmarks.workloads import bench, blobs

import caffe_compat as caffe
from caffe_compat.net import Net
from caffe_compat.prototxt import zoo
from caffe_compat.prototxt.caffe_pb2 import NetParameter, SolverParameter
from caffe_compat.solvers import create_solver

RATE, MOMENTUM, DECAY = 0.001, 0.9, 0.0005


def run(case: Case, engine: str, args) -> None:
    """Time a case and print the result."""
    caffe.set_engine(engine.removeprefix("engine-"))
    caffe.set_random_seed(0)
    if case.kind == "update":
        say(measure(_update(), args.repeats))
        return
    net, function = prepare(case, args)
    result = measure(function, args.repeats)
    training = case.kind in ("train", "step", "learn")
    if args.layers:
        result["layers"] = by_layer.rows(net, args.repeats, backward=training)
    top = "cls_prob" if case.kind == "test" else net.outputs[0]
    # dropout draws each program's own random numbers, so the outputs of training have nothing to agree on
    say(result, None if training else net.blobs[top].data.reshape(-1)[:1000])


def prepare(case: Case, args) -> tuple[Net, Callable[[], object]]:
    """The net, and what is timed."""
    if case.kind == "step":
        solver = create_solver(_sgd(train_net=str(zoo.path(case.net))))
        load(solver.net, case, args)

        def step() -> None:
            iterate(solver.net)
            solver.apply_update()

        return solver.net, step
    if case.kind == "learn":
        net, arrays = prepare_file.training_case(case)
        for name, array in arrays.items():
            net.blobs[name].data[...] = array
    else:
        net = make_net(case, args)
    return net, (lambda: iterate(net)) if case.kind in ("train", "learn") else net.forward


def iterate(net: Net) -> None:
    """A training iteration without update."""
    net.clear_param_diffs()
    net.forward()
    net.backward()


def make_net(case: Case, args) -> Net:
    """The net of a case with its weights and its data."""
    if case.kind == "forward":
        net = Net(
            Path(args.folder) / "net.prototxt", caffe.TEST, weights=Path(args.folder) / "net.caffemodel"
        )
        net.blobs[net.inputs[0]].data[...] = np.load(Path(args.folder) / "input.npy")
        return net
    net = Net(zoo.path(case.net), caffe.TEST if case.kind == "test" else caffe.TRAIN)
    load(net, case, args)
    return net


def load(net: Net, case: Case, args) -> None:
    """Give a Fast R-CNN net the weights and the blobs of the workload."""
    workload, _ = bench(args.bench)
    weights = workload.weights()
    for name in list(weights):
        for blob, value in zip(net.params[name], weights.pop(name), strict=True):
            blob.data[...] = value
    arrays = blobs(args.bench, args.rois or case.rois, args.side)
    if case.kind == "test":
        for name in net.inputs:
            net.blobs[name].reshape(*arrays[name].shape)
            net.blobs[name].data[...] = arrays[name]
        net.reshape()
    else:
        net.layer_dict["data"].set_blobs([arrays])


def _sgd(**net) -> SolverParameter:
    return SolverParameter(
        **net, base_lr=RATE, lr_policy="fixed", momentum=MOMENTUM, weight_decay=DECAY, max_iter=1
    )


def _update() -> Callable[[], object]:
    """The update of a net that has nothing but params."""
    net = NetParameter()
    for i, size in enumerate(PARAMS):
        layer = net.layer.add(name=f"p{i}", type="Parameter", top=[f"p{i}"])
        layer.parameter_param.shape.dim.append(size)
    solver = caffe.SGDSolver.from_param(_sgd(net_param=net))
    rng = np.random.default_rng(0)
    for blob in itertools.chain(*solver.net.params.values()):
        rng.standard_normal(out=blob.data, dtype=np.float32)
        rng.standard_normal(out=blob.diff, dtype=np.float32)

    def update() -> None:
        for blob in itertools.chain(*solver.net.params.values()):
            blob.clear_diff()
            blob.diff_to_add()  # as backward does; what stands there is the gradient again
        solver.apply_update()

    return update
