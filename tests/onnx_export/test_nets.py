"""Whole nets in ONNX, within 1e-4 of our own outputs: the zoo's, and small ones of every family's shape."""

import cv2
import numpy as np
import onnx
import pytest
from recordings import net_of as net_of_text
from reference import REFERENCE
from runtimes import HAS_LOOP, RUNTIMES, add_noise, differences, net_of, noise, ours

import caffe_compat as caffe
from caffe_compat.fast_rcnn.images import image_blob, read_photo
from caffe_compat.fast_rcnn.synthetic import synthetic_sample
from caffe_compat.onnx_export.model import to_onnx
from caffe_compat.prototxt import zoo

TOLERANCE = 1e-4
MEANS = 102.9801, 115.9465, 122.7717
BLUR = 60  # photos less their mean, divided by this, are about as large as noise

INCEPTION = """
name: "inception"
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 33 dim: 40 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 8 kernel_size: 7 stride: 2 pad: 3 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
        pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "norm1" type: "LRN" bottom: "pool1" top: "norm1"
        lrn_param { local_size: 5 alpha: 0.5 beta: 0.75 } }
layer { name: "1x1" type: "Convolution" bottom: "norm1" top: "1x1"
        convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "relu_1x1" type: "ReLU" bottom: "1x1" top: "1x1" }
layer { name: "3x3" type: "Convolution" bottom: "norm1" top: "3x3"
        convolution_param { num_output: 5 kernel_size: 3 pad: 1 } }
layer { name: "5x5" type: "Convolution" bottom: "norm1" top: "5x5"
        convolution_param { num_output: 3 kernel_size: 5 pad: 2 } }
layer { name: "pool" type: "Pooling" bottom: "norm1" top: "pool"
        pooling_param { pool: MAX kernel_size: 3 stride: 1 pad: 1 } }
layer { name: "proj" type: "Convolution" bottom: "pool" top: "proj"
        convolution_param { num_output: 6 kernel_size: 1 } }
layer { name: "output" type: "Concat" bottom: "1x1" bottom: "3x3" bottom: "5x5" bottom: "proj" top: "output" }
layer { name: "pool5" type: "Pooling" bottom: "output" top: "pool5"
        pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "drop" type: "Dropout" bottom: "pool5" top: "pool5" dropout_param { dropout_ratio: 0.4 } }
"""
RESIDUAL = """
name: "residual"
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 30 dim: 25 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 8 kernel_size: 7 stride: 2 pad: 3 } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" batch_norm_param { use_global_stats: true } }
layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1" scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
        pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "branch1" type: "Convolution" bottom: "pool1" top: "branch1"
        convolution_param { num_output: 12 kernel_size: 1 stride: 2 bias_term: false } }
layer { name: "bn_branch1" type: "BatchNorm" bottom: "branch1" top: "branch1" }
layer { name: "scale_branch1" type: "Scale" bottom: "branch1" top: "branch1" scale_param { bias_term: true } }
layer { name: "branch2" type: "Convolution" bottom: "pool1" top: "branch2"
        convolution_param { num_output: 12 kernel_size: 3 pad: 1 stride: 2 bias_term: false } }
layer { name: "bn_branch2" type: "BatchNorm" bottom: "branch2" top: "branch2" }
layer { name: "scale_branch2" type: "Scale" bottom: "branch2" top: "branch2" scale_param { bias_term: true } }
layer { name: "res" type: "Eltwise" bottom: "branch1" bottom: "branch2" top: "res" }
layer { name: "res_relu" type: "ReLU" bottom: "res" top: "res" }
layer { name: "pool5" type: "Pooling" bottom: "res" top: "pool5" pooling_param { pool: AVE global_pooling: true } }
layer { name: "fc" type: "InnerProduct" bottom: "pool5" top: "fc" inner_product_param { num_output: 10 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""
VGG = """
name: "vgg"
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 20 dim: 28 } } }
layer { name: "conv1_1" type: "Convolution" bottom: "data" top: "conv1_1"
        convolution_param { num_output: 8 kernel_size: 3 pad: 1 } }
layer { name: "relu1_1" type: "ReLU" bottom: "conv1_1" top: "conv1_1" }
layer { name: "conv1_2" type: "Convolution" bottom: "conv1_1" top: "conv1_2"
        convolution_param { num_output: 6 kernel_size: 3 pad: 1 } }
layer { name: "relu1_2" type: "ReLU" bottom: "conv1_2" top: "conv1_2" }
layer { name: "pool1" type: "Pooling" bottom: "conv1_2" top: "pool1"
        pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "fc6" type: "InnerProduct" bottom: "pool1" top: "fc6" inner_product_param { num_output: 16 } }
layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }
layer { name: "drop6" type: "Dropout" bottom: "fc6" top: "fc6" dropout_param { dropout_ratio: 0.5 } }
layer { name: "fc8" type: "InnerProduct" bottom: "fc6" top: "fc8" inner_product_param { num_output: 7 } }
layer { name: "prob" type: "Softmax" bottom: "fc8" top: "prob" }
"""
SMALL = {"inception": INCEPTION, "residual": RESIDUAL, "vgg": VGG}
OTHER_SIZES = {"inception": (3, 3, 50, 47), "residual": (1, 3, 41, 60), "vgg": (5, 3, 20, 28)}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", SMALL)
def test_small_net(name, runtime, tmp_path):
    net = net_of(tmp_path, SMALL[name])
    run = RUNTIMES[runtime](to_onnx(net))
    other = np.random.default_rng(4).standard_normal(OTHER_SIZES[name], np.float32)
    agree(net, noise(net), run)
    agree(net, {"data": other}, run)


def agree(net, inputs, *runs):
    """Outputs that are neither all alike nor 0 and 1 only agree with those of each of the runs."""
    mine = ours(net, inputs)
    assert all(np.isfinite(array).all() and np.ptp(array) > 1e-3 for array in mine.values())
    for run in runs:
        wrong = differences(mine, run(inputs))
        assert max(wrong.values()) < TOLERANCE, wrong


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_lenet(runtime):
    net = caffe.Net(zoo.path("lenet"), caffe.TEST)
    add_noise(net)
    agree(net, noise(net), RUNTIMES[runtime](to_onnx(net)))


def test_names_and_dims_of_lenet():
    net = caffe.Net(zoo.path("lenet"), caffe.TEST)
    model = to_onnx(net)
    onnx.checker.check_model(model, full_check=True)
    (data,), (prob,) = model.graph.input, model.graph.output
    assert (data.name, dims(data)) == ("data", ["data_num", 1, 28, 28])
    assert (prob.name, dims(prob)) == ("prob", ["data_num", 10])
    written = [name for node in model.graph.node for name in node.output]
    assert written == ["conv1", "pool1", "conv2", "pool2", "ip1:1", "ip1:2", "ip1", "ip2", "prob"]


def dims(value):
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_small_fast_rcnn(runtime):
    if runtime == "OpenCV" and not HAS_LOOP:
        pytest.skip("OpenCV's dnn has no Loop before 5.0")
    net = caffe.Net(zoo.path("shapes_test"), caffe.TEST)
    add_noise(net)
    run = RUNTIMES[runtime](to_onnx(net))
    rng = np.random.default_rng(5)
    for images, height, width, rois in ((1, 224, 280, 40), (2, 203, 310, 7)):
        corners = rng.uniform(-10, (width, height, width, height), (rois, 4))
        corners[:, 2:] = np.maximum(corners[:, 2:], corners[:, :2])
        boxes = np.column_stack([rng.integers(0, images, rois), corners]).astype(np.float32)
        data = rng.standard_normal((images, 3, height, width), np.float32)
        agree(net, {"data": data, "rois": boxes}, run)


# ---- full nets: random weights, photos where they lie beside the checkout, else drawn pictures -------------------


def photos():
    paths = sorted(REFERENCE.glob("VOCdevkit2007/VOC2007/JPEGImages/*.jpg"))[:2]
    if paths:
        return [read_photo(path) for path in paths]
    drawn = [synthetic_sample(21, seed)["data"][0].transpose(1, 2, 0) for seed in range(2)]
    return [np.clip(picture + MEANS, 0, 255).astype(np.uint8) for picture in drawn]


def with_noise(name, size=224, runtimes=RUNTIMES):
    """A net of the zoo, and what runs it in each of the runtimes; its model, as large as the net, is gone by then."""
    text = zoo.path(name).read_text().replace("dim: 224 dim: 224", f"dim: {size} dim: {size}")
    net = net_of_text(text, caffe.TEST)
    add_noise(net)
    model = to_onnx(net)
    return net, [RUNTIMES[name](model) for name in runtimes]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, size",  # VGG16's fc6 has 103 million weights at 224 x 224, and 19 at 96 x 96
    [("alexnet_deploy", 227), ("googlenet_deploy", 224), ("vgg16_deploy", 96), ("resnet50_deploy", 224)],
)
def test_full_classifier(name, size):
    net, runs = with_noise(name, size)
    size = net.blobs["data"].shape[2:]
    batch = [cv2.resize(photo, size[::-1]).astype(np.float32) - MEANS for photo in photos()]
    data = np.ascontiguousarray(np.array(batch, np.float32).transpose(0, 3, 1, 2) / np.float32(BLUR))
    agree(net, {"data": data}, *runs)


@pytest.mark.slow
def test_full_fast_rcnn():
    runtimes = [name for name in RUNTIMES if name != "OpenCV" or HAS_LOOP]
    net, runs = with_noise("vgg_cnn_m_1024_fast_rcnn_test", runtimes=runtimes)
    rng = np.random.default_rng(6)
    for i, photo in enumerate(photos()):
        data, _ = image_blob([photo], [600], 1000, MEANS)
        height, width = data.shape[2:]
        corners = rng.uniform(0, (width, height, width, height), (20 + 10 * i, 4))
        corners = np.concatenate(
            [np.minimum(*np.split(corners, 2, 1)), np.maximum(*np.split(corners, 2, 1))], 1
        )
        rois = np.column_stack([np.zeros(len(corners)), corners]).astype(np.float32)
        agree(net, {"data": data / np.float32(BLUR), "rois": rois}, *runs)
