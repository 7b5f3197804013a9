"""Fillers against recordings of the original, and what they refuse."""

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from caffe_compat.blob import Blob
from caffe_compat.errors import CaffeCompatError
from caffe_compat.layers.common.fillers import fill
from caffe_compat.prototxt import caffe_pb2
from caffe_compat.rng import set_random_seed

RECORDINGS = sorted((Path(__file__).parents[2] / "golden" / "fillers").glob("*.npz"))


def filler(text: str) -> caffe_pb2.FillerParameter:
    return text_format.Parse(text, caffe_pb2.FillerParameter())


def test_there_are_recordings_of_every_type():
    types = {path.stem.split("_", 1)[1] for path in RECORDINGS}
    assert {"constant", "uniform", "gaussian", "positive_unitball", "xavier", "msra", "bilinear"} <= types


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_gives_what_the_original_recorded(path):
    recorded = np.load(path)
    net = text_format.Parse(str(recorded["prototxt"]), caffe_pb2.NetParameter())
    conv = net.layer[0].convolution_param
    set_random_seed(int(recorded["seed"]))
    fillers = [conv.weight_filler, conv.bias_filler] if conv.bias_term else [conv.weight_filler]
    for i, param in enumerate(fillers):
        want = recorded[f"param:a:{i}"]
        blob = Blob(want.shape)
        blob.data[...] = np.nan
        fill(blob, param)
        np.testing.assert_allclose(blob.data, want, rtol=0, atol=1e-6)


def test_zeros_take_memory_only_where_there_was_something_else():
    blob = Blob((2, 3))
    fill(blob, caffe_pb2.FillerParameter())
    assert not blob.allocated()
    blob.data[...] = np.nan
    fill(blob, caffe_pb2.FillerParameter())
    assert not blob.data.any()


def test_rows_of_length_1():
    set_random_seed(3)
    gaussian, ball = Blob((4, 3, 5)), Blob((4, 3, 5))
    fill(gaussian, filler('type: "gaussian"'))
    set_random_seed(3)
    fill(ball, filler('type: "gaussian_unitball"'))
    rows = gaussian.data.reshape(4, 15)
    want = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(ball.data.reshape(4, 15), want, rtol=1e-6)


def test_fan_out_of_a_single_axis_is_all_of_it():
    set_random_seed(5)
    blob = Blob((30_000,))
    fill(blob, filler('type: "msra" variance_norm: FAN_OUT'))
    assert abs(blob.data.std() / np.sqrt(2 / 30_000) - 1) < 0.02


def test_bilinear_of_an_odd_kernel_is_centred():
    blob = Blob((2, 1, 3, 3))
    fill(blob, filler('type: "bilinear"'))
    np.testing.assert_allclose(blob.data[1, 0], np.outer([0.5, 1, 0.5], [0.5, 1, 0.5]))


@pytest.mark.parametrize(("size", "ramp"), [(4, [0.25, 0.75, 0.75, 0.25]), (3, [0.25, 0.75, 0.75])])
def test_bilinear_in_three_dimensions(size, ramp):
    blob = Blob((2, 3, size, size, size))
    fill(blob, filler('type: "bilinear_3D"'))
    np.testing.assert_allclose(blob.data[1, 2], np.einsum("i,j,k->ijk", ramp, ramp, ramp), rtol=1e-6)
    blob = Blob((2, 3, size, size))
    fill(blob, filler('type: "bilinear_upsampling"'))
    np.testing.assert_allclose(blob.data[1, 2], np.outer(ramp, ramp), rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ('type: "xavir"', (2, 3), "unknown filler type 'xavir'; did you mean 'xavier'?"),
        (
            'type: "?"',
            (2, 3),
            "known types: EdgeX, EdgeY, Laplacian, bilinear, bilinear_3D, bilinear_upsampling, constant, diagonal",
        ),
        ('type: "constant"', (2, 0), r"shape \(2, 0\): it has no elements"),
        ('type: "uniform" min: 2 max: 1', (2, 3), "from 2.0 to 1.0: min must not be above max"),
        ('type: "gaussian" std: 0', (2, 3), "std must be above 0"),
        ('type: "gaussian" sparse: 3', (2, 3), "between 0 and the number of outputs, 2"),
        ('type: "xavier" sparse: 3', (2, 3), "'xavier' cannot be sparse; only gaussian can"),
        ('type: "bilinear"', (1, 2, 3, 4), "a square kernel, not the shape"),
        ('type: "bilinear"', (3, 3), "4 axes"),
        ('type: "bilinear_upsampling"', (1, 2, 3, 4), "a square kernel, not the shape"),
        ('type: "bilinear_3D"', (3, 3, 4, 4, 2), "5 axes with a cubic kernel"),
    ],
)
def test_bad_params_say_what_is_wrong(text, shape, message):
    with pytest.raises(CaffeCompatError, match=message):
        fill(Blob(shape), filler(text))


def test_numbers_of_a_file(tmp_path):
    (tmp_path / "numbers").write_text("1 2.5\n-3 4 5")
    param, blob = filler(f'type: "file" file: "{tmp_path}/numbers"'), Blob((2, 2))
    fill(blob, param)
    assert blob.data.tolist() == [[1, 2.5], [-3, 4]]
    with pytest.raises(CaffeCompatError, match="numbers' has 5 numbers; the param needs 6"):
        fill(Blob((6,)), param)
    (tmp_path / "numbers").write_text("1 two")
    with pytest.raises(CaffeCompatError, match="something else than numbers"):
        fill(blob, param)
    (tmp_path / "numbers").unlink()
    with pytest.warns(UserWarning, match="there is no file"):
        fill(blob, param)
    assert not blob.data.any()
    with pytest.raises(CaffeCompatError, match="names no file"):
        fill(blob, filler('type: "file"'))


def test_the_diagonal_of_inputs_and_outputs():
    blob = Blob((3, 2, 1, 2))
    fill(blob, filler('type: "diagonal" diag_val: 3'))
    want = np.zeros((3, 2, 1, 2))
    want[0, 0], want[1, 1] = 1.5, 0.5
    np.testing.assert_array_equal(blob.data, want)


def test_zeros_take_no_memory_until_somebody_asks():
    blob = Blob((2, 3))
    fill(blob, filler('type: "constant"'))
    assert not blob.has_data
    assert blob.data.tolist() == [[0] * 3] * 2 and blob.has_data
    blob.data[1, 2] = 7
    fill(blob, filler('type: "constant"'))
    assert not blob.data.any()


def filled(shape: tuple[int, ...], text: str) -> np.ndarray:
    blob = Blob(shape)
    blob.data[...] = np.nan
    fill(blob, filler(text))
    return blob.data


def test_a_value_for_each_element():
    assert filled((2, 3), 'type: "value" values: 0.5 values: -2 values: 7 values: 3').tolist() == [
        [0.5, -2, 7],
        [3, 0, 0],
    ]
    with pytest.raises(CaffeCompatError, match="has 3 values for a param of shape"):
        filled((2,), 'type: "value" values: 1 values: 2 values: 3')


def test_kernels_of_edges():
    x, y, laplacian = (filled((2, 5, 3, 3), f'type: "{name}"') for name in ("EdgeX", "EdgeY", "Laplacian"))
    assert x[1, 4].tolist() == [[0, -0.5, 0], [0, 0, 0], [0, 0.5, 0]]
    assert y[1, 4].tolist() == [[0, 0, 0], [-0.5, 0, 0.5], [0, 0, 0]]
    np.testing.assert_allclose(6 * laplacian[1, 4], [[1, 4, 1], [4, -20, 4], [1, 4, 1]], rtol=1e-6)
    with pytest.raises(CaffeCompatError, match="fills 4 axes with a kernel of 3 x 3"):
        filled((2, 5, 5, 5), 'type: "EdgeX"')
