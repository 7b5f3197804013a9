"""Layers whose form in ONNX takes more than an operator or two, on the cases of the contract sweep, in onnxruntime."""

import pytest
from layers.cases import CASES
from runtimes import net_of, onnxruntimes

from caffe_compat.onnx_export.model import to_onnx
from onnx_export.test_boxes import check, prototxt

TYPES = "FeatureExtrapolating", "HeatmapGenerating"


@pytest.mark.parametrize("case", [case for case in CASES if case.type in TYPES], ids=lambda case: case.id)
def test_as_our_own(case, tmp_path):
    """In the shapes of the prototxt, and through the same model in others, where it takes them."""
    net = net_of(tmp_path, prototxt(case, case.shapes))
    model = to_onnx(net)
    run = onnxruntimes(model)
    check(net, run, case, case.shapes, 0)
    if case.other_shapes and takes(model, case.other_shapes):
        check(net, run, case, case.other_shapes, 1)


def takes(model, shapes):
    """Whether the model's inputs may have these shapes."""
    given = {f"x{i}": shape for i, shape in enumerate(shapes)}
    dims = [
        (dim.dim_value, size)
        for value in model.graph.input
        for dim, size in zip(value.type.tensor_type.shape.dim, given[value.name], strict=False)
    ]
    return all(own in (0, size) for own, size in dims)
