"""The deploy nets of the zoo have the shapes and the numbers of params that are published."""

import math

import pytest

import caffe_compat as caffe
from caffe_compat.prototxt import zoo

BATCH_NORMS = 53 + 2 * 26560  # ResNet-50's in Caffe: a factor each, a mean and a variance for each channel


@pytest.mark.parametrize(
    ("name", "params", "shapes"),
    [
        (
            "googlenet_deploy",
            6_998_552,
            {
                "pool2/3x3_s2": (192, 28, 28),
                "inception_3b/output": (480, 28, 28),
                "inception_4d/output": (528, 14, 14),
                "inception_5b/output": (1024, 7, 7),
                "pool5/7x7_s1": (1024, 1, 1),
            },
        ),
        ("vgg16_deploy", 138_357_544, {"conv3_3": (256, 56, 56), "pool5": (512, 7, 7), "fc7": (4096,)}),
        (
            "resnet50_deploy",
            25_557_032 + 64 + BATCH_NORMS,  # and conv1's bias
            {"pool1": (64, 56, 56), "res3d": (512, 28, 28), "res4f": (1024, 14, 14), "pool5": (2048, 1, 1)},
        ),
    ],
)
def test_published_nets(name, params, shapes):
    net = caffe.Net(zoo.path(name), caffe.TEST)
    assert sum(math.prod(blob.shape) for blobs in net.params.values() for blob in blobs) == params
    assert {blob: net.blobs[blob].shape[1:] for blob in shapes} == shapes
    assert net.outputs == ["prob"] and net.blobs["prob"].shape[1:] == (1000,)
    assert len({blob.shape[0] for blob in net.blobs.values()}) == 1
