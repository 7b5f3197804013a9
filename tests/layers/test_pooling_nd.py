"""PoolingND and Pooling3D: ties, windows behind the bottom, large kernels, errors."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def nd(params, x, tops=1) -> Runner:
    return Runner(f'type: "PoolingND" pooling_nd_param {{ {params} }}', [x], tops)


def c3d(params, x) -> Runner:
    return Runner(f'type: "Pooling3D" pooling3d_param {{ {params} }}', [x])


def test_the_first_of_equal_ones_has_the_gradient():
    made = nd("kernel_size: 2", np.ones((1, 1, 2, 2, 3)), tops=2)
    _, mask = made.forward()
    np.testing.assert_array_equal(mask.ravel(), [0, 1])
    diff = made.backward([np.array([3.0, 5]).reshape(1, 1, 1, 1, 2), None])[0]
    assert diff.sum() == 8 and diff[0, 0, 0, 0, 0] == 3 and diff[0, 0, 0, 0, 1] == 5


def test_in_c3d_all_of_them_have_it():
    made = c3d("kernel_size: 2 kernel_depth: 2", np.ones((1, 1, 2, 2, 3)))
    made.forward()
    diff = made.backward([np.array([3.0, 5]).reshape(1, 1, 1, 1, 2)])[0]
    np.testing.assert_array_equal(diff[0, 0], np.tile([3, 8, 5], (2, 2, 1)))


def test_nothing_is_greater_than_no_number():
    made = nd("kernel_size: 2", np.full((1, 1, 2, 2, 2), np.nan), tops=2)
    top, mask = made.forward()
    assert top == -np.finfo(np.float32).max and mask == -1
    assert not made.backward([np.ones((1, 1, 1, 1, 1)), None])[0].any()


def test_a_window_behind_the_bottom_is_left_out_only_with_padding():
    x = np.ones((1, 1, 4, 4, 4))
    assert nd("pool: AVE kernel_size: 2 stride: 3 pad: 1", x).top[0].shape == (1, 1, 2, 2, 2)
    made = c3d("pool: AVE kernel_size: 1 kernel_depth: 1 stride: 4 temporal_stride: 3", x)
    np.testing.assert_array_equal(made.forward()[0][0, 0, :, :, 1], 0)  # starts where the bottom ends


def test_a_kernel_of_the_whole_bottom_is_fast():
    x = np.random.RandomState(0).standard_normal((1, 2, 60, 50, 40))
    np.testing.assert_allclose(nd("global_pooling: true", x).forward()[0].ravel(), x.max(axis=(2, 3, 4))[0])
    top = nd("pool: AVE global_pooling: true", x).forward()[0]
    np.testing.assert_allclose(top.ravel(), x.mean(axis=(2, 3, 4))[0], atol=1e-6)


@pytest.mark.parametrize(
    "params, shape, message",
    [
        ("kernel_size: 2", (2, 3), "no axes behind"),
        ("", (1, 2, 4, 4, 4), "kernel_size is 0"),
        ("kernel_size: 2 kernel_size: 3", (1, 2, 4, 4, 4), "given 2 times"),
        ("kernel_h: 2 kernel_w: 3", (1, 2, 4, 4, 4), "for 2 spatial axes"),
        ("kernel_size: 2 pad: 2", (1, 2, 4, 4, 4), "must be less than"),
        ("kernel_size: 2 stride: 0", (1, 2, 4, 4, 4), "at least 1"),
        ("kernel_size: 9", (1, 2, 4, 4, 4), "do not fit"),
        ("kernel_size: 2", (0, 2, 4, 4, 4), "do not fit"),
        ("global_pooling: true kernel_size: 2", (1, 2, 4, 4), "remove the kernel size"),
        ("global_pooling: true stride: 2", (1, 2, 4, 4), "pad 0 and stride 1"),
        ("kernel_size: 2 pool: STOCHASTIC", (1, 2, 4, 4), "use MAX or AVE"),
        ("kernel_size: 2 axis: 7", (1, 2, 4, 4), "out of range"),
    ],
)
def test_errors_of_pooling_nd(params, shape, message):
    with pytest.raises(LayerError, match=message):
        nd(params, np.zeros(shape))


def test_the_average_has_no_positions():
    with pytest.raises(LayerError, match="only pool: MAX has a second top"):
        nd("kernel_size: 2 pool: AVE", np.zeros((1, 2, 4, 4)), tops=2)


@pytest.mark.parametrize(
    "params, shape, message",
    [
        ("kernel_size: 2", (1, 2, 4, 4, 4), "kernel_depth"),
        ("kernel_size: 2 kernel_depth: 2 pad: 1", (1, 2, 4, 4, 4), "pad is for pool: AVE"),
        ("kernel_size: 2 kernel_depth: 2 pad: 2 pool: AVE", (1, 2, 4, 4, 4), "less than kernel_size"),
        ("kernel_size: 2 kernel_depth: 2 pool: STOCHASTIC", (1, 2, 4, 4, 4), "use MAX or AVE"),
        ("kernel_size: 2 kernel_depth: 9", (1, 2, 4, 4, 4), "do not fit"),
        ("kernel_size: 2 kernel_depth: 2", (1, 2, 4, 4), "expected N x C x L x H x W"),
    ],
)
def test_errors_of_pooling3d(params, shape, message):
    with pytest.raises(LayerError, match=message):
        c3d(params, np.zeros(shape))


@pytest.mark.parametrize("name", ["Convolution3D", "Deconvolution3D"])
def test_errors_of_convolutions(name):
    layer = f'type: "{name}" convolution3d_param {{ num_output: 2 kernel_size: 3 %s }}'
    with pytest.raises(LayerError, match=r"expected N x C x L x H x W, such as \(1, 2, 16, 4, 4\)"):
        Runner(layer % "kernel_depth: 2", [np.zeros((1, 2, 4, 4))])
    with pytest.raises(LayerError, match="kernel_size is 0 x 3 x 3"):
        Runner(layer % "", [np.zeros((1, 2, 4, 4, 4))])
    with pytest.raises(LayerError, match="write it as convolution3d_param"):
        Runner(f'type: "{name}" convolution_param {{ num_output: 2 }}', [np.zeros((1, 2, 4, 4, 4))])


def test_windows_with_holes():
    made = nd(
        "kernel_size: 2 dilation: 2 dilation: 1", np.array([[[[1.0, 2], [9, 8], [4, 3], [0, 7]]]]), tops=2
    )
    top, mask = made.forward()
    np.testing.assert_array_equal(top[0, 0], [[4], [9]])
    np.testing.assert_array_equal(mask[0, 0], [[4], [2]])
    diff = made.backward([np.array([3.0, 5]).reshape(1, 1, 2, 1), None])[0]
    np.testing.assert_array_equal(diff[0, 0], [[0, 0], [5, 0], [3, 0], [0, 0]])


@pytest.mark.parametrize(
    "params", ["pool: AVE kernel_size: 2", "global_pooling: true", "kernel_size: 2 pad: 1"]
)
def test_holes_of_maxima_alone(params):
    with pytest.raises(LayerError, match="dilation goes with pool: MAX, without pad and global_pooling"):
        nd(f"{params} dilation: 2", np.ones((1, 1, 4, 4)))
