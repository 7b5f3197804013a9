"""MultiStageMeanfield: what its params start with, the filter against a dense Gaussian, and errors."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.segmentation.permutohedral import Lattice
from layers.harness import Runner

LAYER = 'type: "MultiStageMeanfield" multi_stage_meanfield_param { %s }'
SHAPES = (1, 2, 3, 4), (1, 2, 3, 4), (1, 3, 3, 4)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def made(fields: str = "", shapes=SHAPES, value: float = 0) -> Runner:
    fields = fields if "num_iterations" in fields else f"num_iterations: 2 {fields}"
    return Runner(LAYER % fields, [np.full(shape, value) for shape in shapes])


def test_params_start_with_the_files(tmp_path):
    (tmp_path / "spatial.par").write_text("3.5\n4.5\n99\n")
    (tmp_path / "bilateral.par").write_text("5 6")
    params = [blob.data[0, 0].tolist() for blob in made("spatial_filter_weight: 7").layer.blobs]
    assert params == [[[3.5, 0], [0, 4.5]], [[5, 0], [0, 6]], [[-1, 0], [0, -1]]]


def test_params_start_with_the_fields_without_files():
    spatial, bilateral, _ = (
        blob.data[0, 0].diagonal().tolist()
        for blob in made("spatial_filter_weight: 7 bilateral_filter_weight: 2").layer.blobs
    )
    assert (spatial, bilateral) == ([7, 7], [2, 2])


def test_params_start_with_the_texts_whatever_the_files_say(tmp_path):
    (tmp_path / "spatial.par").write_text("3.5 4.5")
    shapes = (1, 4, 2, 3), (1, 4, 2, 3), (1, 3, 2, 3)
    spatial, bilateral, _ = (
        blob.data[0, 0].diagonal().tolist()
        for blob in made(
            'spatial_filter_weights_str: "1.5 2" bilateral_filter_weights_str: "5 6 7 8 9"', shapes
        ).layer.blobs
    )
    assert (spatial, bilateral) == ([1.5, 2, 2, 2], [5, 6, 7, 8])


def test_what_only_tvgs_caffe_reads_from_files():
    with pytest.raises(LayerError, match="detection_potentials_enabled has no effect here; TVG's reads"):
        made("detection_potentials_enabled: true")
    made("detection_potentials_enabled: false ho_num_layers: 3")


class Owner:
    @staticmethod
    def error(message):
        return LayerError(message)


def test_the_filter_is_nearly_a_gaussian():
    """After the division by what it makes of ones, as the layer does; the lattice's own error is some percent."""
    rng = np.random.RandomState(3)
    features, values = rng.uniform(0, 3, (400, 3)), rng.uniform(0, 1, (2, 400))
    lattice = Lattice(Owner, features)
    got = lattice.filter(values) / lattice.filter(np.ones((1, 400)))
    distance = ((features[:, None] - features) ** 2).sum(2)
    kernel = np.exp(-distance / 2)
    want = values @ kernel / kernel.sum(0)
    assert np.abs(got - want).max() < 0.15 * np.ptp(want)
    assert np.corrcoef(got.ravel(), want.ravel())[0, 1] > 0.98


def test_the_reversed_filter_is_the_transposed_one():
    rng = np.random.RandomState(4)
    lattice = Lattice(Owner, rng.standard_normal((30, 5)) * 2)
    identity = np.eye(30)
    matrix, other = lattice.filter(identity), lattice.filter(identity, reverse=True)
    np.testing.assert_allclose(matrix, other.T, atol=1e-12)
    assert np.abs(matrix - matrix.T).max() > 1e-6


def test_pixels_that_are_equal_become_more_equal():
    """Of two classes that are about the same, the pixels of one colour decide together."""
    image = np.zeros((1, 3, 2, 6))
    image[..., 3:] = 200
    unary = np.zeros((1, 2, 2, 6))
    unary[0, 0, :, :3] = 1
    unary[0, 1, :, 3:] = 1
    unary[0, :, 0, 1] = 0, 0.1  # one wrong pixel
    layer = (
        LAYER
        % "num_iterations: 2 theta_alpha: 20 theta_beta: 10 spatial_filter_weight: 0 bilateral_filter_weight: 5"
    )
    (top,) = Runner(layer, [unary, unary, image]).forward()
    np.testing.assert_array_equal(top[0].argmax(0), [[0, 0, 0, 1, 1, 1]] * 2)


@pytest.mark.parametrize(
    "fields, shapes, value, message",
    [
        ("num_iterations: 1", SHAPES, 0, "num_iterations is 1; it must be at least 2"),
        ("theta_beta: 0", SHAPES, 0, "theta_beta is 0; it must be above 0"),
        ("", (*SHAPES[:2], (1, 1, 3, 4)), 0, "and N x 3 x H x W"),
        ("", SHAPES, np.nan, "values that are not finite"),
        ("theta_beta: 1e-30", SHAPES, 9, "too far apart"),
        (
            'spatial_filter_weights_str: "3 x"',
            SHAPES,
            0,
            "spatial_filter_weights_str has something else than",
        ),
        ('bilateral_filter_weights_str: " "', SHAPES, 0, "bilateral_filter_weights_str has 0 finite numbers"),
    ],
)
def test_errors(fields, shapes, value, message):
    with pytest.raises(LayerError) as error:
        made(fields, shapes, value).forward()
    assert message in str(error.value)


def test_values_that_spread_over_too_many_points():
    runner = made("theta_alpha: 0.001 theta_beta: 0.001")
    runner.bottom[2].data[...] = np.arange(36).reshape(1, 3, 3, 4) * 9
    with pytest.raises(LayerError, match="too far apart"):
        runner.forward()


@pytest.mark.parametrize(
    "text, message",
    [("3", "has 1 finite"), ("3 x", "something else than numbers"), ("3 nan", "2 finite")],
)
def test_files_that_do_not_fit(tmp_path, text, message):
    (tmp_path / "spatial.par").write_text(text)
    with pytest.raises(LayerError) as error:
        made()
    assert message in str(error.value)
