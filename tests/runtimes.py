"""An exported net beside our own: in onnxruntime and in OpenCV's dnn."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import onnx
import onnxruntime

import caffe_compat as caffe

HAS_LOOP = int(cv2.__version__.split(".")[0]) >= 5  # before, OpenCV has no Loop, nor open sizes within a net

Outputs = dict[str, np.ndarray]
Run = Callable[[Outputs], Outputs]


def net_of(tmp_path, text: str, seed: int = 1) -> caffe.Net:
    """The net in phase TEST, all its params noise: positive where Caffe wants that."""
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    net = caffe.Net(path, caffe.TEST)
    add_noise(net, seed)
    return net


def add_noise(net: caffe.Net, seed: int = 1) -> None:
    rng = np.random.default_rng(seed)
    for name, blobs in net.params.items():
        is_statistic = net.layer_dict[name].type == "BatchNorm"
        transitions = net.layer_dict[name].layer_param.denseblock_param.numTransition
        for i, blob in enumerate(blobs):
            fan_in = max(1, blob.count // blob.shape[0]) if len(blob.shape) > 1 else 25
            noise = rng.standard_normal(blob.shape, np.float32) * np.float32(np.sqrt(2 / fan_in))
            if is_statistic:
                noise = (
                    np.full(blob.shape, 2.5, np.float32) if i == 2 else 1 + abs(noise) if i == 1 else noise
                )
            if net.layer_dict[name].type in ("BN", "CuDNNBatchNorm") and i == 3:
                noise = 1 + abs(noise)
            if net.layer_dict[name].type == "DenseBlock" and i // transitions % 5 == 4:  # a variance
                noise = 1 + abs(noise)
            blob.data[...] = noise


def noise(net: caffe.Net, seed: int = 2) -> Outputs:
    """Noise in the shapes that the net's inputs have."""
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(net.blobs[name].shape, np.float32) for name in net.inputs}


def ours(net: caffe.Net, inputs: Outputs) -> Outputs:
    for name, array in inputs.items():
        net.blobs[name].reshape(*array.shape)
        net.blobs[name].data[...] = array
    net.forward()
    return {name: net.blobs[name].data.copy() for name in net.outputs if name not in net.inputs}


def onnxruntimes(model: onnx.ModelProto) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in model.graph.output]
    known = {i.name for i in session.get_inputs()}

    def run(inputs: Outputs) -> Outputs:
        arrays = session.run(names, {name: array for name, array in inputs.items() if name in known})
        return dict(zip(names, arrays, strict=True))

    return run


def opencvs(model: onnx.ModelProto) -> Run:
    net = cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))
    names = [output.name for output in model.graph.output]

    def run(inputs: Outputs) -> Outputs:
        for name, array in inputs.items():
            net.setInput(array, name)
        return dict(zip(names, net.forward(names), strict=True))

    return run


# each loads a model, and returns what computes its outputs from its inputs
RUNTIMES = {"onnxruntime": onnxruntimes, "OpenCV": opencvs}


def differences(mine: Outputs, theirs: Outputs) -> dict[str, float]:
    """The largest difference of each output, as a share of its largest number."""
    assert mine.keys() == theirs.keys()
    assert {k: v.shape for k, v in mine.items()} == {k: v.shape for k, v in theirs.items()}
    return {k: float(abs(v - theirs[k]).max() / (abs(v).max() or 1)) for k, v in mine.items()}
