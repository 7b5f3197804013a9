"""SSD's layers as ONNX, on the cases of the contract sweep, in their shapes and in others: in onnxruntime, as OpenCV has
no NonMaxSuppression."""

import numpy as np
import pytest
from layers.cases import CASES
from runtimes import differences, net_of, onnxruntimes, ours

from caffe_compat.errors import LayerError
from caffe_compat.onnx_export.model import to_onnx

TOLERANCE = 1e-5
OURS = [case for case in CASES if case.type.startswith("PriorBox") or case.type == "DetectionOutput"]


PRIORS = [case for case in OURS if case.type != "DetectionOutput"]


def prototxt(case, shapes):
    inputs = "".join(
        f'layer {{ name: "x{i}" type: "Input" top: "x{i}" input_param {{ shape {{ {dims} }} }} }}\n'
        for i, dims in enumerate(" ".join(f"dim: {dim}" for dim in shape) for shape in shapes)
    )
    bottoms = " ".join(f'bottom: "x{i}"' for i in range(len(shapes)))
    return inputs + f'layer {{ name: "it" {bottoms} top: "y" {case.layer} }}\n'


def check(net, run, case, shapes, seed):
    arrays = case.bottoms(np.random.RandomState(seed), shapes)
    inputs = {f"x{i}": array.astype(np.float32) for i, array in enumerate(arrays)}
    assert max(differences(ours(net, inputs), run(inputs)).values()) <= TOLERANCE, seed


@pytest.mark.parametrize("other", [False, True])
@pytest.mark.parametrize("case", OURS, ids=lambda case: case.id)
def test_as_our_own(case, other, tmp_path):
    shapes = case.other_shapes if other else case.shapes
    net = net_of(tmp_path, prototxt(case, shapes))
    if "eta" in case.layer or "use_polygon" in case.layer:
        with pytest.raises(LayerError, match="cannot be exported to ONNX with use_polygon or eta"):
            to_onnx(net)
        return
    run = onnxruntimes(to_onnx(net))
    for seed in range(3):
        check(net, run, case, shapes, seed)


@pytest.mark.parametrize("case", PRIORS, ids=lambda case: case.id)
def test_prior_boxes_follow_the_sizes_of_the_map_and_the_image(case, tmp_path):
    net = net_of(tmp_path, prototxt(case, case.shapes))
    check(net, onnxruntimes(to_onnx(net)), case, case.other_shapes, 1)
