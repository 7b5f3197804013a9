"""Layers of C3D's first version in today's form; its blobs, which have a length."""

import numpy as np
import pytest

from caffe_compat import TEST, Net
from caffe_compat.errors import PrototxtError
from caffe_compat.prototxt import wire
from caffe_compat.prototxt.blob_proto import to_array
from caffe_compat.prototxt.caffe_pb2 import BlobProto
from caffe_compat.prototxt.reader import parse_net

NET = """
layers { name: "data" type: VIDEO_DATA top: "data" top: "label"
  image_data_param { source: "s" use_image: true mean_value: 128 batch_size: 3 crop_size: 12 mirror: true show_data: 0
    new_length: 4 new_height: 16 new_width: 18 shuffle: true } }
layers { name: "conv" type: CONVOLUTION3D bottom: "data" top: "conv" blobs_lr: 1 blobs_lr: 2
  convolution_param { num_output: 2 kernel_size: 3 kernel_depth: 2 pad: 1 temporal_pad: 1 stride: 2 temporal_stride: 1
    weight_filler { type: "gaussian" std: 0.01 } bias_filler { value: 1 } } }
layers { name: "pool" type: POOLING3D bottom: "conv" top: "pool"
  pooling_param { pool: AVE kernel_size: 2 kernel_depth: 3 stride: 2 temporal_stride: 3 } }
layers { name: "up" type: DECONVOLUTION3D bottom: "pool" top: "up"
  convolution_param { num_output: 5 kernel_size: 4 kernel_depth: 2 filter_group: 1 bias_term: false } }
layers { name: "prob" type: VOXEL_SOFTMAX bottom: "up" top: "prob" }
layers { name: "loss" type: VOXEL_SOFTMAX_LOSS bottom: "up" bottom: "truth" }
"""

UPGRADED = """
layer { name: "data" type: "VideoData" top: "data" top: "label"
  transform_param { mirror: true crop_size: 12 mean_value: 128 }
  video_data_param { source: "s" batch_size: 3 shuffle: true new_length: 4 new_height: 16 new_width: 18 use_image: true
    show_data: false } }
layer { name: "conv" type: "Convolution3D" bottom: "data" top: "conv" param { lr_mult: 1 } param { lr_mult: 2 }
  convolution3d_param { num_output: 2 kernel_size: 3 kernel_depth: 2 pad: 1 temporal_pad: 1 stride: 2 temporal_stride: 1
    weight_filler { type: "gaussian" std: 0.01 } bias_filler { value: 1 } } }
layer { name: "pool" type: "Pooling3D" bottom: "conv" top: "pool"
  pooling3d_param { pool: AVE kernel_size: 2 kernel_depth: 3 stride: 2 temporal_stride: 3 } }
layer { name: "up" type: "Deconvolution3D" bottom: "pool" top: "up"
  convolution3d_param { num_output: 5 kernel_size: 4 kernel_depth: 2 filter_group: 1 bias_term: false } }
layer { name: "prob" type: "Softmax" bottom: "up" top: "prob" }
layer { name: "loss" type: "VoxelSoftmaxLoss" bottom: "up" bottom: "truth" }
"""


def test_upgrade():
    assert parse_net(NET)[0] == parse_net(UPGRADED)[0]


def test_a_mean_file_is_before_a_mean_value():
    data = 'layers { name: "d" type: VIDEO_DATA top: "d" image_data_param { mean_value: 3 mean_file: "m" } }'
    transform = parse_net(data)[0].layer[0].transform_param
    assert transform.mean_file == "m" and not transform.mean_value


@pytest.mark.parametrize(
    "layer, message",
    [
        (
            "type: CONVOLUTION convolution_param { num_output: 1 kernel_depth: 3 }",
            "kernel_depth is for layers of C3D",
        ),
        (
            "type: POOLING pooling_param { kernel_size: 2 temporal_stride: 1 }",
            r"temporal_stride is for .*Pooling3D",
        ),
        (
            "type: IMAGE_DATA image_data_param { new_length: 3 }",
            r"image_data_param.new_length is for .*VideoData",
        ),
        ("type: POOLING3D pooling_param { kernel_h: 3 }", "Pooling3D has no field 'kernel_h'"),
        ("type: CONVOLUTION3D convolution_param { pad: 1 pad: 2 }", "pad is given 2 times"),
        ("type: VIDEO_DATA image_data_param { is_color: false truth_scale: 2 }", "no field 'truth_scale'"),
    ],
)
def test_errors(layer, message):
    with pytest.raises(PrototxtError, match=message) as error:
        parse_net(f'\nlayers {{ name: "l" {layer} }}')
    assert error.value.line == 2


def field(number: int, kind: int, content: bytes) -> bytes:
    return bytes([number << 3 | kind]) + content


def c3d_blob(array: np.ndarray) -> bytes:
    dims = (*[1] * (5 - array.ndim), *array.shape)
    numbers = array.astype("<f4").tobytes()
    return b"".join(field(i, wire.VARINT, bytes([dim])) for i, dim in enumerate(dims, 1)) + (
        wire.length_delimited(6, len(numbers)) + numbers
    )


def nested(number: int, content: bytes) -> bytes:
    return wire.length_delimited(number, len(content)) + content


def test_old_weights_load(tmp_path):
    rng = np.random.RandomState(0)
    filters, bias = rng.standard_normal((2, 3, 2, 3, 3)), rng.standard_normal(2)
    weights, offsets = rng.standard_normal((4, 60)), rng.standard_normal(4)
    conv, fc = (
        nested(4, name) + b"".join(nested(6, c3d_blob(array)) for array in arrays)
        for name, arrays in ((b"conv", (filters, bias)), (b"fc", (weights, offsets)))
    )
    (tmp_path / "c3d.caffemodel").write_bytes(nested(2, conv) + nested(2, fc))
    (tmp_path / "net.prototxt").write_text("""
        layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 6 dim: 5 dim: 4 } } }
        layer { name: "conv" type: "Convolution3D" bottom: "x" top: "y"
          convolution3d_param { num_output: 2 kernel_size: 3 kernel_depth: 2 } }
        layer { name: "fc" type: "InnerProduct" bottom: "y" top: "z" inner_product_param { num_output: 4 } }
    """)
    net = Net(str(tmp_path / "net.prototxt"), TEST, weights=str(tmp_path / "c3d.caffemodel"))
    for name, arrays in (("conv", (filters, bias)), ("fc", (weights, offsets))):
        for blob, array in zip(net.params[name], arrays, strict=True):
            np.testing.assert_array_equal(blob.data, array.astype(np.float32))


def test_a_mean_of_c3d():
    mean = np.arange(24.0).reshape(1, 2, 3, 2, 2)
    np.testing.assert_array_equal(to_array(BlobProto.FromString(c3d_blob(mean))), mean)


def test_damaged_numbers():
    broken = c3d_blob(np.ones(3))
    broken = broken[:10] + wire.length_delimited(6, 3) + b"abc"
    with pytest.raises(wire.WireError, match="wrong length"):
        wire.take_blobs(nested(2, nested(6, broken)))
