"""Writes a net for all programs: prototxt with the batch, weights in three forms (random, or a model's), an input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from benchmarks.cases import Case
from benchmarks.timing import say
from google.protobuf import text_format

import caffe_compat as caffe
from caffe_compat.layers.common.optional_import import optional_import
from caffe_compat.net import Net
from caffe_compat.prototxt import zoo
from caffe_compat.prototxt.caffe_pb2 import NetParameter
from caffe_compat.prototxt.reader import read_net


def write(case: Case, args) -> None:
    """net.prototxt, net.caffemodel, net.npz and net.json (for torch), input.npy and, with --onnx, net.onnx.

    Where ONNX has no form for the net, there is no net.onnx.
    """
    folder, model = Path(args.folder), Path(case.net) if Path(case.net).is_dir() else None
    param, _ = read_net(str(source(case.net)))
    (data,) = (layer for layer in param.layer if layer.type == "Input")
    data.input_param.shape[0].dim[0] = case.batch
    (folder / "net.prototxt").write_text(text_format.MessageToString(param))
    net = Net(folder / "net.prototxt", caffe.TEST, weights=model / "net.caffemodel" if model else None)
    if model is None:
        fill(net)
    net.save(folder / "net.caffemodel")
    arrays = {f"{name}:{j}": b.data for name, blobs in net.params.items() for j, b in enumerate(blobs)}
    np.savez(folder / "net.npz", **arrays)  # type: ignore[arg-type]
    (folder / "net.json").write_text(json.dumps(layers(net)))
    shape = net.blobs[net.inputs[0]].shape
    if model:
        images = np.resize(np.load(model / "input.npy"), shape)
    else:
        images = np.random.RandomState(2).standard_normal(shape).astype(np.float32)
    np.save(folder / "input.npy", images)
    if args.onnx:
        optional_import(caffe.CaffeCompatError, "onnx", "onnx")
        from caffe_compat.onnx_export.model import to_onnx
        from caffe_compat.onnx_export.model import write as write_onnx

        try:
            write_onnx(to_onnx(net), str(folder / "net.onnx"))
        except caffe.CaffeCompatError as error:
            print(f"benchmark: without onnxruntime: {error}", file=sys.stderr)
    say({})


def source(net: str) -> Path:
    """The prototxt of a case's net: of the zoo, a file, or in a model's folder (rather with an Input layer)."""
    if Path(net).is_dir():
        with_input = Path(net, "net_input.prototxt")
        return with_input if with_input.exists() else Path(net, "net.prototxt")
    return Path(net) if net.endswith(".prototxt") else zoo.path(net)


def training_net(case: Case) -> NetParameter:
    """A classifier of the zoo as it is trained: with the case's batch, labels, and a loss in place of the Softmax."""
    param, _ = read_net(str(source(case.net)))
    param.state.phase = caffe.TRAIN
    data, last = param.layer[0], param.layer[-1]
    data.input_param.shape[0].dim[0] = case.batch
    data.top.append("label")
    data.input_param.shape.add(dim=[case.batch])
    last.type, last.top[0] = "SoftmaxWithLoss", "loss"
    last.bottom.append("label")
    for layer in param.layer:
        if layer.type == "BatchNorm":
            layer.batch_norm_param.ClearField("use_global_stats")
    return param


def training_case(case: Case) -> tuple[Net, dict[str, np.ndarray]]:
    """The net with random weights in phase TRAIN, and its inputs by name: random images and labels."""
    net = Net.from_param(training_net(case))
    fill(net)
    rng = np.random.RandomState(2)
    images = rng.standard_normal(net.blobs["data"].shape).astype(np.float32)
    labels = rng.randint(0, net.blobs[net.bottom_names[net.layer_names[-1]][0]].shape[1], case.batch)
    return net, {"data": images, "label": labels.astype(np.float32)}


def fill(net: Net) -> None:
    """Random weights that keep activations in range: He's for products; means 0, variances 1, scales about 0.5."""
    rng = np.random.default_rng(1)
    for name, blobs in net.params.items():
        kind = net.layer_dict[name].layer_param.type
        for blob in blobs:
            blob.data[...] = 0
        if kind == "BatchNorm":
            blobs[1].data[...] = blobs[2].data[...] = 1
        elif kind == "Scale":
            blobs[0].data[...] = rng.uniform(0.3, 0.7, blobs[0].shape)
            blobs[1].data[...] = rng.normal(0, 0.1, blobs[1].shape)
        else:
            fan_in = blobs[0].data[0].size
            blobs[0].data[...] = rng.standard_normal(blobs[0].shape, np.float32) * np.float32(
                (2 / fan_in) ** 0.5
            )


def layers(net: Net) -> list[dict]:
    """What a program that knows no prototxt needs of each layer."""
    result = []
    for message in net.param.layer:
        layer = {"name": message.name, "type": message.type, "bottom": list(message.bottom)}
        layer["top"] = list(message.top)
        if message.type == "Convolution":
            conv = message.convolution_param
            layer |= {"stride": (*conv.stride, 1)[0], "pad": (*conv.pad, 0)[0], "group": conv.group}
        elif message.type == "Pooling":
            pool = message.pooling_param
            layer |= {
                "method": "MAX" if pool.pool == pool.MAX else "AVE",
                "size": 0 if pool.global_pooling else pool.kernel_size,
                "stride": pool.stride,
                "pad": pool.pad,
            }
        elif message.type == "LRN":
            lrn = message.lrn_param
            layer |= {"size": lrn.local_size, "alpha": lrn.alpha, "k": lrn.k, "beta": lrn.beta}
        elif message.type == "BatchNorm":
            layer["eps"] = message.batch_norm_param.eps
        result.append(layer)
    return result
