"""Layers whose form in ONNX takes more than an operator or two, on the cases of the contract sweep, in onnxruntime."""

import numpy as np
import pytest
from layers.cases import CASES
from runtimes import differences, net_of, onnxruntimes, ours

from caffe_compat.errors import LayerError
from caffe_compat.onnx_export.model import to_onnx
from onnx_export.test_boxes import check, prototxt

TYPES = (
    *("FeatureExtrapolating", "HeatmapGenerating", "Upsample", "Unpooling", "SPP", "Im2col", "Local"),
    *("LSTM", "RNN", "LSTMUnit", "Lstm", "CTCGreedyDecoder", "InnerDistance", "ChannelScale"),
    *("SignedSqrt", "ScaleTanH", "NegReLU", "Noise", "GradientScaler", "GradientSilent", "Squeeze", "Pad"),
    *("DepthToSpace", "Division", "Mul", "EliwiseProduct", "LinearTransform", "GroupNorm", "L2Norm"),
    *("L2Normalize", "Normalization", "NormalizationL2", "Intranorm", "ChannelNorm", "Norm"),
    *("NegSquare", "ExpMax", "FlowEltwise", "Mean", "Grid", "Correlation", "Correlation1D", "FlowWarp"),
    *("Warp", "Resample", "Accum", "ArgMax", "DeformableConvolution", "MultiStageMeanfield"),
    *("MultiStageMeanfieldAU3", "DenseCRFMap", "SpatialProduct", "MaskPooling", "Spfilter", "FilterSum"),
    *("LinearSum", "MatrixProd", "WordSum", "Similarity", "Netvlad", "CoeffBlobEltwise", "PowerFile"),
    *("MirrorRotate", "Convert", "ReverseTime", "ROIWarping", "MaskResize", "SpatialTransformer"),
    *("ImResize", "Nms", "BinaryConvolution", "PaddedConvolution", "FuseInnerProduct", "BinaryInnerProduct"),
    *("NormalizedInnerProduct", "SumPooling", "PaddedPooling", "Pooling3D", "PoolingND", "NdPooling"),
    *("BoundedScale", "Mask", "MaskOutputs", "Combination", "BatchReduction", "Quant", "ReLUMask"),
    *("DenseBlock", "ConvLSTM", "AttPooling", "PixelConv", "Dtow", "CornerCrop", "OuterProduct"),
    *("ConvolutionRistretto", "DeconvolutionRistretto", "FcRistretto", "RistrettoBottom"),
    *("LabeledMatching", "UnlabeledMatching", "PatchReshape", "MultiSoftmax"),
)
# what of a case's text has no form -> what is said of it
NO_FORM = {
    "stride_h: 3 stride_w: 1": "the last window may be empty",
    "temporal_stride: 3": "the last window may be empty",
    "rounding_scheme: STOCHASTIC": "with rounding_scheme STOCHASTIC, which draws",
    "stride: 4 pad: 1": "the last window may be empty",
}


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.type in TYPES and case.layer.count("param { }") < 2],
    ids=lambda case: case.id,
)
def test_as_our_own(case, tmp_path):
    """In the shapes of the prototxt, and through the same model in others, where it takes them."""
    net = net_of(tmp_path, prototxt(case, case.shapes))
    says = [reason for text, reason in NO_FORM.items() if text in case.layer]
    if case.type == "CTCGreedyDecoder" and len(case.shapes) == 3:
        says = ["with an accuracy"]
    if says:
        with pytest.raises(LayerError, match=f"cannot be exported to ONNX.* {says[0]}"):
            to_onnx(net)
        return
    model = to_onnx(net)
    run = onnxruntimes(model)
    check(net, run, case, case.shapes, 0)
    if case.other_shapes and takes(model, case.other_shapes):
        check(net, run, case, case.other_shapes, 1)


def takes(model, shapes):
    """Whether the model's inputs may have these shapes."""
    inputs = {value.name: value.type.tensor_type.shape.dim for value in model.graph.input}
    pairs = [(inputs[f"x{i}"], shape) for i, shape in enumerate(shapes) if f"x{i}" in inputs]
    return all(
        len(dims) == len(shape)
        and all(dim.dim_value in (0, size) for dim, size in zip(dims, shape, strict=True))
        for dims, shape in pairs
    )


@pytest.mark.parametrize("how, shape", [("axis: 1", (2, 4, 5)), ("out_max_val: true", (2, 2, 4))])
def test_of_equal_elements_the_last_is_the_largest(how, shape, tmp_path):
    text = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 7 dim: 5 } } }'
    text += f'layer {{ name: "y" type: "ArgMax" bottom: "x" top: "y" argmax_param {{ top_k: 4 {how} }} }}'
    net = net_of(tmp_path, text)
    inputs = {"x": np.random.default_rng(4).integers(0, 3, (2, 7, 5)).astype(np.float32)}
    mine = ours(net, inputs)
    assert mine["y"].shape == shape
    assert differences(mine, onnxruntimes(to_onnx(net))(inputs)) == {"y": 0}


@pytest.mark.parametrize("fill", ["", "flow_warp_param { fill_value: NOT_A_NUMBER }"])
def test_a_flow_that_is_missing_in_places(fill, tmp_path):
    text = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}\n'
        for name, dims in (("x", "dim: 2 dim: 3 dim: 5 dim: 7"), ("flow", "dim: 2 dim: 2 dim: 5 dim: 7"))
    )
    text += f'layer {{ name: "y" type: "FlowWarp" bottom: "x" bottom: "flow" top: "y" {fill} }}'
    net = net_of(tmp_path, text)
    inputs = {
        name: np.random.default_rng(i).standard_normal(net.blobs[name].shape, np.float32)
        for i, name in enumerate(net.inputs)
    }
    inputs["flow"][1, 0, 2:, 3] = np.nan
    mine, theirs = ours(net, inputs)["y"], onnxruntimes(to_onnx(net))(inputs)["y"]
    np.testing.assert_allclose(theirs, mine, atol=1e-6)
    assert np.isnan(mine[1, :, 2:, 3]).all() == bool(fill)
    assert np.nanmax(mine[0]) > 0


@pytest.mark.parametrize("size", [(8, 11), (13, 6)])
def test_a_mask_from_a_pooling_to_its_upsample(size, tmp_path):
    net = net_of(tmp_path, SEGNET)
    run = onnxruntimes(to_onnx(net))
    inputs = {"x": np.random.default_rng(5).standard_normal((2, 3, *size), np.float32)}
    mine = ours(net, inputs)
    assert mine["places"].max() > size[1]
    assert differences(mine, run(inputs)) == {"places": 0, "y": 0}


def test_a_net_that_is_built_for_a_map_less_than_it_takes(tmp_path):
    """SubCNN's deploy nets name one image, and are reshaped for its scales: until then there is no map above."""
    net = net_of(tmp_path, SCALES)
    assert net.blobs["y"].shape == (0, 3, 7, 6)
    run = onnxruntimes(to_onnx(net))
    inputs = {"x": np.random.default_rng(8).standard_normal((4, 3, 7, 6), np.float32)}
    mine = ours(net, inputs)
    assert mine["y"].shape == (6, 3, 7, 6)
    assert differences(mine, run(inputs))["y"] < 1e-6


SCALES = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 7 dim: 6 } } }
layer { name: "y" type: "FeatureExtrapolating" bottom: "x" top: "y"
        feature_extrapolating_param { num_scale_base: 2 num_per_octave: 2 scale_string: "1.0 2.0" } }
"""
SEGNET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 11 } } }
layer { name: "pool" type: "Pooling" bottom: "x" top: "pool" top: "mask"
        pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "places" type: "Power" bottom: "mask" top: "places" }
layer { name: "y" type: "Upsample" bottom: "pool" bottom: "mask" top: "y" upsample_param { scale: 3 } }
"""
