import json

import numpy as np
import pytest
from commands import run

import caffe_compat as caffe
from caffe_compat.errors import GraphError
from caffe_compat.fast_rcnn.compress import compress, truncated_svd
from fast_rcnn.nets import TINY_TEST, tiny_test_net

DATA = np.random.RandomState(8).uniform(-60, 60, (2, 3, 48, 64)).astype(np.float32)
ROIS = np.array([[0, 3, 4, 30, 40], [1, 0, 0, 60, 44], [1, 20, 8, 33, 19]], np.float32)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "test.prototxt").write_text(TINY_TEST)
    tiny_test_net().save(tmp_path / "w.caffemodel")
    return tmp_path


def outputs(net) -> dict[str, np.ndarray]:
    net.blobs["data"].reshape(*DATA.shape)
    net.blobs["rois"].reshape(*ROIS.shape)
    return {name: array.copy() for name, array in net.forward(data=DATA, rois=ROIS).items()}


def test_no_other_factors_of_the_rank_are_nearer():
    rng = np.random.RandomState(2)
    matrix = (rng.standard_normal((30, 9)) @ rng.standard_normal((9, 50))).astype(np.float32)
    left, right, error = truncated_svd(matrix, 9)
    assert (left.shape, right.shape) == ((30, 9), (9, 50))
    np.testing.assert_allclose(left @ right, matrix, atol=1e-4)
    assert error < 1e-5
    left, right, error = truncated_svd(matrix, 5)
    off = np.linalg.norm(left @ right - matrix) / np.linalg.norm(matrix)
    assert error == pytest.approx(off, rel=1e-4)
    for _ in range(20):  # small changes only make it worse
        nudged = (left + 1e-2 * rng.standard_normal(left.shape)) @ right
        assert np.linalg.norm(nudged - matrix) / np.linalg.norm(matrix) > error


def test_weights_of_that_rank_lose_nothing(folder):
    net = tiny_test_net()
    for name, rank in (("fc6", 10), ("fc7", 6)):
        left, right, _ = truncated_svd(net.params[name][0].data, rank)
        net.params[name][0].data[...] = left @ right
    net.save(folder / "w.caffemodel")
    _, thin, done, _ = compress(folder / "test.prototxt", folder / "w.caffemodel", {"fc6": 10, "fc7": 6})
    for name, want in outputs(net).items():
        np.testing.assert_allclose(outputs(thin)[name], want, rtol=1e-4, atol=1e-5)
    assert [(one.layer, one.outputs, one.inputs, one.rank) for one in done] == [
        ("fc6", 40, 54, 10),
        ("fc7", 24, 40, 6),
    ]
    assert [one.weights for one in done] == [10 * 94, 6 * 64]
    assert max(one.error for one in done) < 1e-5


def test_a_layer_that_it_would_make_larger_stays(folder):
    param, thin, done, _ = compress(folder / "test.prototxt", folder / "w.caffemodel", {"fc6": 5, "fc7": 15})
    assert [one.rank for one in done] == [5, None]  # 15 * (24 + 40) is 24 * 40
    assert [layer.name for layer in param.layer if layer.type == "InnerProduct"] == [
        "fc6_L",
        "fc6_U",
        "fc7",
        "cls_score",
        "bbox_pred",
    ]
    assert [blob.shape for blob in thin.params["fc6_L"]] == [(5, 54)]
    assert [blob.shape for blob in thin.params["fc6_U"]] == [(40, 5), (40,)]
    np.testing.assert_array_equal(thin.params["fc7"][0].data, tiny_test_net().params["fc7"][0].data)
    np.testing.assert_array_equal(thin.params["fc6_U"][1].data, tiny_test_net().params["fc6"][1].data)


def test_other_layers_are_refused(folder):
    net, weights = folder / "test.prototxt", folder / "w.caffemodel"
    with pytest.raises(
        GraphError, match=r"'fc8': is not in the net; .*\(here: fc6, fc7, cls_score, bbox_pred\)"
    ):
        compress(net, weights, {"fc8": 3})
    with pytest.raises(GraphError, match="'conv1': is of type Convolution"):
        compress(net, weights, {"conv1": 3})
    twin = 'layer { name: "twin" type: "InnerProduct" bottom: "pool" top: "twin" %s }\n'
    shared = 'param { name: "w" } inner_product_param { num_output: 40 }'
    net.write_text(TINY_TEST.replace("inner_product_param { num_output: 40 }", shared) + twin % shared)
    with pytest.raises(GraphError, match="'fc6': shares its params"):
        compress(net, weights, {"fc6": 3})


def test_the_command_writes_a_net_that_runs(folder):
    args = ("compress", "test.prototxt", "--weights", "w.caffemodel", "-o", "thin", "--fc6", 12, "--fc7", 8)
    done = run("caffe_compat.cli.main", *args, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.startswith("fc")}
    assert rows["fc6"][1:8] == ["40", "x", "54", "12", "2,160", "1,128", "1.91"]
    assert rows["fc7"][4:7] == ["8", "960", "512"]
    assert "saves 1,480 params" in done.stdout and "wrote thin.caffemodel" in done.stdout
    thin = caffe.Net(folder / "thin.prototxt", caffe.TEST, weights=folder / "thin.caffemodel")
    whole = tiny_test_net()
    for name in ("fc6", "fc7"):
        whole.params[name][0].data[...] = thin.params[f"{name}_U"][0].data @ thin.params[f"{name}_L"][0].data
    for name, want in outputs(whole).items():
        np.testing.assert_allclose(outputs(thin)[name], want, rtol=1e-4, atol=1e-5)
    report = json.loads(run("caffe_compat.cli.main", *args, "--json", cwd=folder).stdout)
    assert [row["weights"] for row in report["layers"]] == [1128, 512]
    assert 0 < report["layers"][0]["error"] < 1


def test_ranks_that_save_nothing_are_an_error(folder):
    args = ("compress", "test.prototxt", "--weights", "w.caffemodel", "-o", "thin")
    done = run("caffe_compat.cli.main", *args, cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("test.prototxt: error: these ranks save nothing: fc6 has 40 x 54, fc7 has")
    assert not (folder / "thin.prototxt").exists()
