"""Each layer type, exported and run in both runtimes: in the shapes of the prototxt, and in others."""

import re

import numpy as np
import onnx
import pytest
from listed import assert_listed
from runtimes import HAS_LOOP, RUNTIMES, differences, net_of, noise, ours

from caffe_compat.onnx_export.converters import converted_types
from caffe_compat.onnx_export.model import to_onnx
from onnx_export.test_boxes import CHOICES, POOLING, PRIORS
from onnx_export.test_cases import TYPES

TOLERANCE = 1e-5  # of the largest number

BOXES = {case.type for case in PRIORS + CHOICES + POOLING} - {"Python"} | {
    "ProposalLayer",
    "TextProposalLayer",
}  # in test_boxes.py

# what -> shapes of the bottoms, and the layer less its name and bottoms
IMAGE = (2, 6, 9, 11)
POOL = 'type: "Pooling" pooling_param { pool: %s %s }'
CONV = 'type: "Convolution" convolution_param { %s }'
DECONV = 'type: "Deconvolution" convolution_param { %s }'
INNER = 'type: "InnerProduct" inner_product_param { num_output: 5 %s }'
LAYERS = {
    "Convolution": (
        [IMAGE],
        CONV % "num_output: 4 kernel_size: 3 pad: 1 stride: 2",
    ),
    "Convolution group": (
        [IMAGE],
        CONV
        % (
            "num_output: 4 kernel_h: 3 kernel_w: 2 pad_h: 2 pad_w: 1 stride_h: 1 stride_w: 3 group: 2 "
            "dilation: 2 dilation: 1 bias_term: false"
        ),
    ),
    "DepthwiseConvolution": (
        [IMAGE],
        'type: "DepthwiseConvolution" convolution_param { num_output: 6 group: 6 kernel_size: 3 pad: 1 stride: 2 }',
    ),
    "ConvolutionDepthwise": (
        [IMAGE],
        'type: "ConvolutionDepthwise" convolution_param { kernel_size: 3 pad: 1 stride: 2 }',
    ),
    "Convolution axis 2": ([(2, 5, 3, 7, 9)], CONV % "num_output: 4 kernel_size: 3 axis: 2"),
    "Convolution axis 0": ([(3, 7, 9)], CONV % "num_output: 4 kernel_size: 3 axis: 0"),
    "Convolution 1d": ([(2, 3, 9)], CONV % "num_output: 4 kernel_size: 3"),
    "Convolution 3d": (
        [(2, 3, 4, 5, 6)],
        CONV % "num_output: 4 kernel_size: 3 pad: 1",
    ),
    "Deconvolution": (
        [IMAGE],
        DECONV % "num_output: 4 kernel_size: 4 stride: 2 pad: 1",
    ),
    "Deconvolution group": (
        [IMAGE],
        DECONV % "num_output: 6 kernel_size: 4 stride: 2 pad: 1 group: 6 bias_term: false",
    ),
    "InnerProduct": ([IMAGE], INNER % ""),
    "InnerProduct flat": (
        [(3, 7)],
        INNER % "bias_term: false",
    ),
    "InnerProduct axis 2": ([IMAGE], INNER % "axis: 2"),
    "InnerProduct axis 0": ([(3, 7)], INNER % "axis: 0"),
    "InnerProduct transpose": (
        [(3, 7)],
        INNER % "transpose: true",
    ),
    "InnerProduct last axis": (
        [IMAGE],
        INNER % "axis: -1 transpose: true bias_term: false",
    ),
    **{
        name: (
            [(2, 3, 6, 8, 7)],
            f'type: "{name}" convolution3d_param {{ num_output: 4 kernel_size: 3 kernel_depth: 2 pad: 1 stride: 2 }}',
        )
        for name in ("Convolution3D", "Deconvolution3D")
    },
    "Transpose": ([IMAGE], 'type: "Transpose" transpose_param { dim: 2 dim: 0 dim: 3 dim: 1 }'),
    "Reverse": ([IMAGE], 'type: "Reverse" reverse_param { axis: -2 }'),
    "BReLU": ([IMAGE], 'type: "BReLU" brelu_param { minval: -0.5 maxval: 0.25 }'),
    "CuDNNBatchNorm": (
        [IMAGE],
        'type: "CuDNNBatchNorm" cudnn_batch_norm_param { scale_filler { value: 2 } frozen: true }',
    ),
    "Pooling MAX 3/2": ([IMAGE], POOL % ("MAX", "kernel_size: 3 stride: 2")),
    "Pooling MAX 3/2 even": ([(2, 3, 8, 10)], POOL % ("MAX", "kernel_size: 3 stride: 2")),
    "Pooling MAX 2/2 pad 1": ([(2, 3, 8, 11)], POOL % ("MAX", "kernel_size: 2 stride: 2 pad: 1")),
    "Pooling MAX 3/3 pad 1": ([(2, 3, 8, 10)], POOL % ("MAX", "kernel_size: 3 stride: 3 pad: 1")),
    "Pooling MAX 3/2 pad w": ([(2, 3, 8, 10)], POOL % ("MAX", "kernel_size: 3 stride: 2 pad_h: 0 pad_w: 2")),
    "Pooling MAX ceil_mode": ([(2, 3, 8, 10)], POOL % ("MAX", "kernel_size: 3 stride: 2 ceil_mode: false")),
    "Pooling MAX floor": ([(2, 3, 8, 10)], POOL % ("MAX", "kernel_size: 3 stride: 2 round_mode: FLOOR")),
    "Pooling MAX global": ([IMAGE], POOL % ("MAX", "global_pooling: true")),
    "Pooling MAX global places": ([IMAGE], POOL % ("MAX", "global_pooling: true") + ' top: "places"'),
    "Pooling AVE 3/2": ([(2, 3, 8, 11)], POOL % ("AVE", "kernel_size: 3 stride: 2")),
    "Pooling AVE 3/1 pad 1": ([(2, 3, 8, 11)], POOL % ("AVE", "kernel_size: 3 stride: 1 pad: 1")),
    "Pooling AVE 3/2 pad 1": ([(2, 3, 8, 11)], POOL % ("AVE", "kernel_size: 3 stride: 2 pad: 1")),
    "Pooling AVE 4/3 pad 2": ([(2, 3, 8, 10)], POOL % ("AVE", "kernel_size: 4 stride: 3 pad: 2")),
    "Pooling AVE global": ([IMAGE], POOL % ("AVE", "global_pooling: true")),
    "Pooling MAX 3d": ([(2, 3, 5, 8, 11)], POOL % ("MAX", "kernel_size: 3 stride: 2")),
    "Pooling MAX 3d pad 1": ([(2, 3, 5, 8, 10)], POOL % ("MAX", "kernel_size: 3 stride: 3 pad: 1")),
    "Pooling AVE 3d pad 2": ([(2, 3, 5, 8, 10)], POOL % ("AVE", "kernel_size: 4 stride: 3 pad: 2")),
    "Pooling AVE 3d global": ([(2, 3, 4, 6, 5)], POOL % ("AVE", "global_pooling: true")),
    "Pooling STOCHASTIC": ([IMAGE], POOL % ("STOCHASTIC", "kernel_size: 3 stride: 2")),
    "LRN": ([IMAGE], 'type: "LRN" lrn_param { local_size: 5 alpha: 0.9 beta: 0.75 k: 2 }'),
    "LRN within": (
        [IMAGE],
        'type: "LRN" lrn_param { local_size: 3 alpha: 0.9 beta: 0.6 norm_region: WITHIN_CHANNEL }',
    ),
    "BatchNorm": ([IMAGE], 'type: "BatchNorm" batch_norm_param { eps: 0.1 }'),
    "BatchNorm flat": ([(3, 7)], 'type: "BatchNorm"'),
    "BN": (
        [IMAGE],
        'type: "BN" bn_param { slope_filler { value: 2 } bias_filler { value: 1 } frozen: true }',
    ),
    "BN of the batch": (
        [IMAGE],
        'type: "BN" bn_param { scale_filler { value: 2 } shift_filler { value: 1 } }',
    ),
    "BN inference": (
        [(3, 7)],
        'type: "BN" bn_param { bn_mode: INFERENCE scale_filler { value: 2 } shift_filler { value: 1 } }',
    ),
    "BatchNorm scale": ([IMAGE], 'type: "BatchNorm" batch_norm_param { scale_bias: true }'),
    "BatchNorm scale of the batch": (
        [IMAGE],
        'type: "BatchNorm" batch_norm_param { use_global_stats: false scale_bias: true }',
    ),
    "BatchNorm of the batch": ([IMAGE], 'type: "BatchNorm" batch_norm_param { use_global_stats: false }'),
    "MVN": ([IMAGE], 'type: "MVN" mvn_param { eps: 0.1 }'),
    "MVN across": ([IMAGE], 'type: "MVN" mvn_param { across_channels: true normalize_variance: false }'),
    "Normalize": ([IMAGE], 'type: "Normalize" norm_param { across_spatial: false }'),
    "Normalize across": ([IMAGE], 'type: "Normalize" norm_param { channel_shared: true eps: 0.5 }'),
    "Softmax": ([IMAGE], 'type: "Softmax"'),
    "Softmax axis": ([IMAGE], 'type: "Softmax" softmax_param { axis: -1 }'),
    "Scale": ([IMAGE], 'type: "Scale" scale_param { bias_term: true }'),
    "Scale axes": ([IMAGE], 'type: "Scale" scale_param { axis: 1 num_axes: 2 }'),
    "Scale scalar": ([IMAGE], 'type: "Scale" scale_param { num_axes: 0 bias_term: true }'),
    "Scale by a bottom": ([IMAGE, (2, 6)], 'type: "Scale" scale_param { axis: 0 bias_term: true }'),
    "Bias": ([IMAGE], 'type: "Bias"'),
    "Bias by a bottom": ([IMAGE, (6, 9)], 'type: "Bias" bias_param { axis: -3 }'),
    "Eltwise SUM": ([IMAGE] * 3, 'type: "Eltwise" eltwise_param { coeff: 1 coeff: -0.5 coeff: 2 }'),
    "Eltwise PROD": ([IMAGE] * 2, 'type: "Eltwise" eltwise_param { operation: PROD }'),
    "Eltwise MAX": ([IMAGE] * 3, 'type: "Eltwise" eltwise_param { operation: MAX }'),
    "Concat": ([IMAGE, (2, 3, 9, 11)], 'type: "Concat"'),
    "Concat axis": ([IMAGE, (2, 6, 9, 4)], 'type: "Concat" concat_param { axis: -1 }'),
    "Axpy": ([(2, 6), IMAGE, IMAGE], 'type: "Axpy"'),
    "Slice": ([IMAGE], 'type: "Slice" top: "b" top: "c"'),
    "Slice points": (
        [IMAGE],
        'type: "Slice" top: "b" top: "c" slice_param { axis: -1 slice_point: 2 slice_point: 7 }',
    ),
    "Flatten": ([IMAGE], 'type: "Flatten"'),
    "Flatten part": ([IMAGE], 'type: "Flatten" flatten_param { axis: 1 end_axis: -2 }'),
    "Reshape": ([IMAGE], 'type: "Reshape" reshape_param { shape { dim: 0 dim: 2 dim: -1 dim: 0 } }'),
    "Reshape inside": (
        [IMAGE],
        'type: "Reshape" reshape_param { shape { dim: 2 dim: -1 } axis: 1 num_axes: 1 }',
    ),
    "Permute": ([IMAGE], 'type: "Permute" permute_param { order: 0 order: 2 }'),
    "Crop": ([IMAGE, (2, 6, 5, 4)], 'type: "Crop" crop_param { offset: 3 offset: 2 }'),
    "AutoCrop": ([IMAGE, (2, 6, 5, 4)], 'type: "AutoCrop" crop_param { offset: 3 offset: 2 }'),
    "CropCenter": (
        [IMAGE],
        'type: "CropCenter" crop_center_param { crop_size: 0 crop_size: 0 crop_size: 2 crop_size: 3 }',
    ),
    "GuidedDropout": (
        [(2, 5, 3, 4), (2, 5)],
        'type: "GuidedDropout" guided_dropout_param { type: "deterministic" guidance_threshold: 0.2 }',
    ),
    "GuidedDropout stochastic": (
        [(2, 5), (2, 5, 1, 1)],
        'type: "GuidedDropout" guided_dropout_param { type: "stochastic" }',
    ),
    "CropCenter whole": ([(3, 7)], 'type: "CropCenter" crop_center_param { crop_size: 0 crop_size: 0 }'),
    "Tile": ([IMAGE], 'type: "Tile" tile_param { tiles: 3 }'),
    "Interp": ([IMAGE], 'type: "Interp" interp_param { zoom_factor: 2 }'),
    "Interp shrink": ([IMAGE], 'type: "Interp" interp_param { shrink_factor: 3 zoom_factor: 2 pad_beg: -1 }'),
    "Interp sized": ([IMAGE], 'type: "Interp" interp_param { height: 7 width: 21 pad_beg: -1 pad_end: -2 }'),
    "Interp blob": (
        [IMAGE, (2, 3, 7, 21)],
        'type: "Interp" interp_param { use_blob_size: true pad_end: -1 }',
    ),
    "BilinearInterpolation": ([IMAGE, (2, 3, 7, 21)], 'type: "BilinearInterpolation"'),
    "Upsample": ([IMAGE], 'type: "Upsample" upsample_param { scale: 3 }'),
    "Duplicate": ([(2, 6, 1, 1)], 'type: "Duplicate" duplicate_param { height: 4 width: 3 }'),
    "ShuffleChannel": ([IMAGE], 'type: "ShuffleChannel" shuffle_channel_param { group: 3 }'),
    "Tiling": ([(2, 12, 3, 5)], 'type: "Tiling" tiling_param { tile_dim: 2 }'),
    "Flip": ([IMAGE], 'type: "Flip"'),
    "Flip both": ([IMAGE], 'type: "Flip" flip_param { flip_height: true }'),
    "Flip nothing": ([(3, 7)], 'type: "Flip"'),
    "SelectChannels": ([IMAGE], 'type: "SelectChannels" filter_param { num_output: 4 }'),
    "SelectChannels axis": ([IMAGE], 'type: "SelectChannels" filter_param { axis: -2 num_output: 5 }'),
    "NormL2": ([IMAGE], 'type: "NormL2"'),
    "NormL2 flat": ([(3, 7)], 'type: "NormL2"'),
    "UnitNormalize": ([IMAGE], 'type: "UnitNormalize" top: "norms"'),
    "UnitNormalize L1": ([(3, 7)], "type: \"UnitNormalize\" normalize_param { normalize_type: 'L1' }"),
    "Insanity": ([IMAGE], 'type: "Insanity"'),
    "ReLU": ([IMAGE], 'type: "ReLU"'),
    "ReLU slope": ([IMAGE], 'type: "ReLU" relu_param { negative_slope: 0.3 }'),
    "PReLU": ([IMAGE], 'type: "PReLU"'),
    "PReLU flat": ([(3, 7)], 'type: "PReLU"'),
    "PReLU shared": ([IMAGE], 'type: "PReLU" prelu_param { channel_shared: true }'),
    "ELU": ([IMAGE], 'type: "ELU" elu_param { alpha: 0.4 }'),
    "Sigmoid": ([IMAGE], 'type: "Sigmoid"'),
    "TanH": ([IMAGE], 'type: "TanH"'),
    "AbsVal": ([IMAGE], 'type: "AbsVal"'),
    "BNLL": ([IMAGE], 'type: "BNLL"'),
    "Cos": ([IMAGE], 'type: "Cos"'),
    "Swish": ([IMAGE], 'type: "Swish" swish_param { beta: 1.5 }'),
    "Gather": ([IMAGE], 'type: "Gather"'),
    "Scatter": ([IMAGE], 'type: "Scatter"'),
    "Clip": ([IMAGE], 'type: "Clip" clip_param { min: -0.4 max: 0.7 }'),
    "Reorg": ([(2, 4, 6, 8)], 'type: "Reorg" reorg_param { stride: 2 }'),
    "Reorg reverse": ([(2, 8, 3, 5)], 'type: "Reorg" reorg_param { stride: 2 reverse: true }'),
    "ReLU6": ([IMAGE], 'type: "ReLU6"'),
    "HSwish": ([IMAGE], 'type: "HSwish"'),
    "HardSwish": ([IMAGE], 'type: "HardSwish"'),
    "HardSigmoid": ([IMAGE], 'type: "HardSigmoid" hard_sigmoid_param { alpha: 0.31 beta: 0.4 }'),
    "Mish": ([IMAGE], 'type: "Mish"'),
    "ReLU6 slope": ([IMAGE], 'type: "ReLU6" relu6_param { negative_slope: 0.3 }'),
    "MinReLU": ([IMAGE], 'type: "MinReLU"'),
    "SeLu": ([IMAGE], 'type: "SeLu" selu_param { lambda: 1.5 alpha: 0.7 }'),
    "SeLuDropout": ([IMAGE], 'type: "SeLuDropout"'),
    "SpatialDropout": ([IMAGE], 'type: "SpatialDropout"'),
    "Truncation": ([IMAGE], 'type: "Truncation" truncation_param { truncation_min: -0.4 }'),
    "Threshold": ([IMAGE], 'type: "Threshold" threshold_param { threshold: 0.2 }'),
    "Power": ([IMAGE], 'type: "Power" power_param { power: 2 scale: 0.5 shift: 3 }'),
    "Exp": ([IMAGE], 'type: "Exp" exp_param { base: 2 scale: 0.5 shift: 3 }'),
    "Log": ([IMAGE], 'type: "Log" log_param { base: 10 scale: 0.5 shift: 9 }'),
    "Dropout": ([IMAGE], 'type: "Dropout" dropout_param { dropout_ratio: 0.4 scale_train: false }'),
    "ChannelReduce": ([(2, 6, 3, 5)], 'type: "ChannelReduce" channel_reduce_param { num_channels: 3 }'),
    "ChannelReduce SUM": (
        [(2, 6, 3)],
        'type: "ChannelReduce" channel_reduce_param { num_channels: 2 operation: SUM }',
    ),
    "Reduction SUM": ([IMAGE], 'type: "Reduction" reduction_param { axis: 2 coeff: 0.5 }'),
    "Reduction ASUM": ([IMAGE], 'type: "Reduction" reduction_param { axis: 1 operation: ASUM }'),
    "Reduction SUMSQ": ([IMAGE], 'type: "Reduction" reduction_param { axis: -1 operation: SUMSQ }'),
    "Reduction MEAN": ([IMAGE], 'type: "Reduction" reduction_param { axis: 1 operation: MEAN }'),
    "ArgMax": ([IMAGE], 'type: "ArgMax" argmax_param { out_max_val: true }'),
    "ArgMax axis": ([IMAGE], 'type: "ArgMax" argmax_param { axis: 1 }'),
}


def prototxt(shapes, text):
    """A net of the layer and, above it, one that makes its first top the net's."""
    dims = [" ".join(f"dim: {dim}" for dim in shape) for shape in shapes]
    inputs = "".join(
        f'layer {{ name: "x{i}" type: "Input" top: "x{i}" input_param {{ shape {{ {d} }} }} }}\n'
        for i, d in enumerate(dims)
    )
    bottoms = " ".join(f'bottom: "x{i}"' for i in range(len(shapes)))
    return inputs + f'layer {{ name: "it" {bottoms} top: "y" {text} }}\n'


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """What -> net and model, each made once."""
    known = {}

    def make(what):
        if what not in known:
            net = net_of(tmp_path_factory.mktemp("net"), prototxt(*LAYERS[what]))
            known[what] = net, to_onnx(net)
            onnx.checker.check_model(known[what][1], full_check=True)  # the shapes too
        return known[what]

    return make


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("what", LAYERS)
def test_layer(what, runtime, exported):
    skip_old(runtime)
    net, model = exported(what)
    for inputs in (noise(net), in_other_shapes(model)):
        if "STOCHASTIC" in what:  # divides by a sum
            inputs = {name: abs(array) for name, array in inputs.items()}
        mine = ours(net, inputs)
        assert all(np.isfinite(array).all() and np.ptp(array) > 0 for array in mine.values())
        wrong = differences(mine, RUNTIMES[runtime](model)(inputs))
        assert all(difference <= TOLERANCE for difference in wrong.values()), wrong


def skip_old(runtime):
    if runtime == "OpenCV" and not HAS_LOOP:
        pytest.skip("OpenCV's dnn takes no open sizes within a net before 5.0")


def in_other_shapes(model):
    """Noise for the model's inputs; a dim that is open is another one than the prototxt's, of each name the same."""
    sizes, rng, result = {}, np.random.default_rng(4), {}
    for value in model.graph.input:
        shape = value.type.tensor_type.shape.dim
        dims = [
            dim.dim_value or sizes.setdefault(dim.dim_param, 48 - 5 * len(sizes) if i else 3)
            for i, dim in enumerate(shape)
        ]
        result[value.name] = rng.standard_normal(dims, np.float32)
    return result


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    "shapes, text",
    [
        ([(7,)], 'type: "Embed" embed_param { num_output: 4 input_dim: 9 }'),
        ([IMAGE, (7,)], 'type: "BatchReindex"'),
    ],
)
def test_whole_numbers(shapes, text, runtime, tmp_path):
    skip_old(runtime)
    net = net_of(tmp_path, prototxt(shapes, text))
    inputs = noise(net)
    inputs[net.inputs[-1]] = np.array([1, 0, 0, 1, 1, 0, 1], np.float32)
    assert max(differences(ours(net, inputs), RUNTIMES[runtime](to_onnx(net))(inputs)).values()) < TOLERANCE


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("params", ["forward: true forward: false", "operation: ADD"])
def test_the_middle_of_what_is_larger(params, runtime, tmp_path):
    skip_old(runtime)
    text = f'type: "MergeCrop" mergecrop_param {{ {params} }}'
    net = net_of(tmp_path, prototxt([(2, 3, 4, 5), (2, 3, 9, 5)], text))
    run = RUNTIMES[runtime](to_onnx(net))
    others = ((5, 3, 6, 5), (5, 3, 13, 5))
    for inputs in (
        noise(net),
        dict(zip(net.inputs, map(np.random.default_rng(3).standard_normal, others), strict=True)),
    ):
        inputs = {name: array.astype(np.float32) for name, array in inputs.items()}
        assert max(differences(ours(net, inputs), run(inputs)).values()) < TOLERANCE


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_makes_no_top_of_its_own(runtime, tmp_path):
    """A Parameter and a ContinuationIndicator bring a blob, a Split is put in where two read one, Silence ends one."""
    skip_old(runtime)
    text = """
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 3 dim: 6 } } }
        layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: 6 } } }
        layer { name: "c" type: "ContinuationIndicator" top: "c"
                continuation_indicator_param { time_step: 3 batch_size: 6 } }
        layer { name: "add" type: "Bias" bottom: "x" bottom: "p" top: "sum" }
        layer { name: "times" type: "Eltwise" bottom: "sum" bottom: "c" top: "y" eltwise_param { operation: PROD } }
        layer { name: "sigmoid" type: "Sigmoid" bottom: "y" top: "z" }
        layer { name: "tanh" type: "TanH" bottom: "y" top: "w" }
        layer { name: "end" type: "Silence" bottom: "w" }
    """
    net = net_of(tmp_path, text)
    assert {"Parameter", "Split", "Silence"} <= {layer.type for layer in net.layers}
    inputs = noise(net)
    got = RUNTIMES[runtime](to_onnx(net))(inputs)
    assert list(got) == ["z"] and differences(ours(net, inputs), got)["z"] < TOLERANCE


def test_every_type_is_run():
    # a type of a layer, not one that its param names
    texts = " ".join(re.sub(r"_param \{.*?\}", "", text) for _, text in LAYERS.values())
    elsewhere = {
        "Input",
        "Parameter",
        "ContinuationIndicator",
        "Split",
        "Silence",
        "Embed",
        "BatchReindex",
        "MergeCrop",
    }  # above
    assert_listed(
        {*re.findall(r'type: "(\w+)"', texts), *elsewhere, "ROIPooling", *BOXES, *TYPES},
        converted_types(),
        "add a layer to LAYERS, which is run as ONNX",
        "there is no function with @converts for it in caffe_compat/onnx_export/",
    )


@pytest.mark.parametrize("scale_train, factor", [("true", 1 / 0.7), ("false", 1)])
def test_dropout_that_draws_in_testing(scale_train, factor, tmp_path):
    """In onnxruntime: OpenCV has no RandomUniformLike."""
    layer = f"dropout_ratio: 0.3 sample_weights_test: true scale_train: {scale_train}"
    net = net_of(tmp_path, DRAWS % layer)
    run, inputs = RUNTIMES["onnxruntime"](to_onnx(net)), noise(net)
    first, second = (run(inputs)["y"] for _ in range(2))
    for y in (first, second):
        kept = y != 0
        assert 0.67 < kept.mean() < 0.73
        np.testing.assert_allclose(y[kept], inputs["x"][kept] * 4 * factor, rtol=1e-6)
    assert 0.35 < ((first != 0) != (second != 0)).mean() < 0.5


DRAWS = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 30 dim: 7 dim: 11 } } }
layer { name: "twice" type: "Power" bottom: "x" top: "twice" power_param { scale: 2 } }
layer { name: "drop" type: "Dropout" bottom: "twice" top: "drop" dropout_param { %s } }
layer { name: "y" type: "Power" bottom: "drop" top: "y" power_param { scale: 2 } }
"""


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_power_0_counts_no_input(runtime, tmp_path):
    skip_old(runtime)
    net = net_of(tmp_path, prototxt([(2, 3)], 'type: "Power" power_param { power: 2 scale: 0 shift: 3 }'))
    inputs = {"x0": np.full((2, 3), np.nan, np.float32)}
    np.testing.assert_array_equal(RUNTIMES[runtime](to_onnx(net))(inputs)["y"], np.full((2, 3), 9))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("pool", ["MAX", "AVE"])
def test_windows_of_every_size(pool, runtime, exported_pools):
    """Images of many sizes through one model: as many windows as Caffe has, and what each holds."""
    skip_old(runtime)
    net, model = exported_pools[pool]
    run = RUNTIMES[runtime](model)
    for size in range(3, 16):
        inputs = {"x": np.random.default_rng(size).standard_normal((2, 3, size, 18 - size), np.float32)}
        assert max(differences(ours(net, inputs), run(inputs)).values()) < TOLERANCE, size


@pytest.fixture(scope="module")
def exported_pools(tmp_path_factory):
    """A net of all windows (kernel, stride, pad) for each kind of pooling, and its model."""
    result = {}
    for pool in ("MAX", "AVE"):
        layers = [
            f'layer {{ name: "p{k}{s}{p}" bottom: "x" top: "p{k}{s}{p}" '
            + POOL % (pool, f"kernel_size: {k} stride: {s} pad: {p}")
            + "}\n"
            for k in (1, 2, 3)
            for s in (1, 2, 3)
            for p in (0, 1, 2)
            if p < k and (p or s <= k)
        ]
        text = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 8 } } }\n'
        net = net_of(tmp_path_factory.mktemp("pools"), text + "".join(layers))
        result[pool] = net, to_onnx(net)
    return result
