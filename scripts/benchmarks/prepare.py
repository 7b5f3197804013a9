"""Writes a net of the zoo for all programs: prototxt with batch 1, random weights in three forms, an input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from benchmarks.cases import Case
from benchmarks.timing import say
from google.protobuf import text_format

import caffe_compat as caffe
from caffe_compat.layers.common.optional_import import optional_import
from caffe_compat.net import Net
from caffe_compat.prototxt import zoo
from caffe_compat.prototxt.reader import read_net


def write(case: Case, args) -> None:
    """net.prototxt, net.caffemodel, net.npz and net.json (for torch), input.npy and, with --onnx, net.onnx."""
    folder = Path(args.folder)
    param, _ = read_net(case.net if case.net.endswith(".prototxt") else str(zoo.path(case.net)))
    (data,) = (layer for layer in param.layer if layer.type == "Input")
    data.input_param.shape[0].dim[0] = 1
    (folder / "net.prototxt").write_text(text_format.MessageToString(param))
    net = Net(folder / "net.prototxt", caffe.TEST)
    fill(net)
    net.save(folder / "net.caffemodel")
    arrays = {f"{name}:{j}": b.data for name, blobs in net.params.items() for j, b in enumerate(blobs)}
    np.savez(folder / "net.npz", **arrays)  # type: ignore[arg-type]
    (folder / "net.json").write_text(json.dumps(layers(net)))
    shape = net.blobs[net.inputs[0]].shape
    np.save(folder / "input.npy", np.random.RandomState(2).standard_normal(shape).astype(np.float32))
    if args.onnx:
        optional_import(caffe.CaffeCompatError, "onnx", "onnx")
        from caffe_compat.onnx_export.model import to_onnx
        from caffe_compat.onnx_export.model import write as write_onnx

        write_onnx(to_onnx(net), str(folder / "net.onnx"))
    say({})


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
