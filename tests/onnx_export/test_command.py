"""caffe-compat export, run as a process."""

import json

import numpy as np
import onnx
import pytest
from commands import run
from processes import python
from runtimes import add_noise, differences, onnxruntimes, ours

import caffe_compat as caffe
from caffe_compat.errors import CaffeCompatError, LayerError
from caffe_compat.onnx_export.model import to_onnx
from caffe_compat.prototxt import zoo

NET = """\
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 7 dim: 9 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool"
        pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
"""


@pytest.fixture
def folder(tmp_path):
    """net.prototxt and w.caffemodel, and the net."""
    (tmp_path / "net.prototxt").write_text(NET)
    net = caffe.Net(tmp_path / "net.prototxt", caffe.TEST)
    add_noise(net)
    net.save(tmp_path / "w.caffemodel")
    return tmp_path, net


def export(cwd, *args, to="net.onnx"):
    given = "net.prototxt", "--weights", "w.caffemodel", "-o", to
    return run("caffe_compat.cli.main", "export", *given, *args, cwd=cwd)


def test_what_is_written_and_said(folder):
    path, net = folder
    done = export(path)
    assert (done.returncode, done.stderr) == (0, "")
    size = (path / "net.onnx").stat().st_size / 1e6
    assert done.stdout.splitlines() == [
        "params loaded from w.caffemodel: conv",
        "input x: x_num x 3 x x_height x x_width",
        "output pool: x_num x 4 x ? x ?",
        f"wrote net.onnx: ONNX opset 17, 3 operators, {size:.1f} MB",
    ]
    x = {"x": np.random.default_rng(3).standard_normal((5, 3, 12, 8), np.float32)}
    assert differences(ours(net, x), onnxruntimes(onnx.load(path / "net.onnx"))(x))["pool"] < 1e-5
    assert sorted(file.name for file in path.iterdir()) == ["net.onnx", "net.prototxt", "w.caffemodel"]


def test_json(folder):
    path, _ = folder
    assert json.loads(export(path, "--json").stdout) == {
        "net": "net.prototxt",
        "weights": "w.caffemodel",
        "opset": 17,
        "operators": 3,
        "inputs": [{"name": "x", "shape": ["x_num", 3, "x_height", "x_width"]}],
        "outputs": [{"name": "pool", "shape": ["x_num", 4, None, None]}],
        "bytes": (path / "net.onnx").stat().st_size,
        "written": "net.onnx",
    }


def test_help_has_an_example():
    done = run("caffe_compat.cli.main", "export", "--help")
    assert "caffe-compat export deploy.prototxt --weights F.caffemodel -o net.onnx" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize(
    "layer, says",
    [
        (
            'type: "Sparsify"',
            "layer 'it' (Sparsify): cannot be exported to ONNX; the types that",
        ),
        (
            'type: "Pooling" pooling_param { kernel_size: 1 stride: 3 }',
            "layer 'it' (Pooling): cannot be exported to ONNX: with the stride (3, 3), above the kernel (1, 1)",
        ),
        (
            'type: "SPP" spp_param { pyramid_height: 1 pool: STOCHASTIC }',
            "layer 'it' (SPP): cannot be exported to ONNX with pool STOCHASTIC",
        ),
        (
            'type: "Convolution" convolution_param { num_output: 2 axis: 3 }',
            "layer 'it' (Convolution): cannot be exported to ONNX without an axis behind the channels",
        ),
    ],
)
def test_a_layer_without_a_form(folder, layer, says):
    path, _ = folder
    (path / "net.prototxt").write_text(NET + f'layer {{ name: "it" bottom: "pool" top: "y" {layer} }}\n')
    done = export(path)
    assert done.returncode == LayerError.exit_code
    assert done.stderr.startswith(f"net.prototxt:8: error: {says}")
    assert len(done.stderr.splitlines()) == 1
    assert not (path / "net.onnx").exists()


@pytest.mark.filterwarnings("ignore:.*the top is empty")
def test_a_map_that_is_empty(tmp_path):
    text = NET + 'layer { name: "it" type: "Convolution" bottom: "pool" top: "y" convolution_param { %s } }'
    (tmp_path / "net.prototxt").write_text(text % "num_output: 2 kernel_size: 4")
    with pytest.raises(
        LayerError, match=r"exported to ONNX with a top of the shape \(2, 2, 0, 1\), as no runtime"
    ):
        to_onnx(caffe.Net(tmp_path / "net.prototxt", caffe.TEST))


def test_data_and_losses_name_the_way_out(tmp_path):
    text = NET.replace('type: "Input"', 'type: "DummyData"').replace("input_param", "dummy_data_param")
    loss = 'layer { name: "loss" type: "EuclideanLoss" bottom: "conv" bottom: "conv" top: "loss" }'
    for net, says in ((text, "(DummyData): cannot be exported to ONNX; it brings data; export a deploy net"),
                      (NET + loss, "(EuclideanLoss): cannot be exported to ONNX; it needs labels")):  # fmt: skip
        (tmp_path / "net.prototxt").write_text(net)
        with pytest.raises(LayerError) as caught:
            to_onnx(caffe.Net(tmp_path / "net.prototxt", caffe.TEST))
        assert says in str(caught.value)


def test_a_net_without_inputs(tmp_path):
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: 2 } } }'
    )
    with pytest.raises(CaffeCompatError, match="needs an Input layer"):
        to_onnx(caffe.Net(tmp_path / "net.prototxt", caffe.TEST))


def test_nowhere_to_write(folder):
    path, _ = folder
    done = run(
        "caffe_compat.cli.main",
        "export",
        "net.prototxt",
        "--weights",
        "w.caffemodel",
        "-o",
        "no/x.onnx",
        cwd=path,
    )
    assert done.returncode == CaffeCompatError.exit_code
    assert done.stderr.startswith("no/x.onnx: error: cannot be written: there is no folder")


def test_without_the_extra(folder):
    path, _ = folder
    done = python(
        """
        import sys
        sys.modules["onnx"] = None
        from caffe_compat.cli.main import main
        sys.exit(main(["export", "net.prototxt", "--weights", "w.caffemodel", "-o", "net.onnx"]))
        """,
        cwd=path,
    )
    assert done.returncode == CaffeCompatError.exit_code
    assert done.stderr == "error: this needs onnx: pip install 'caffe-compat[onnx]'\n"


def test_values_that_no_layer_changes_last(tmp_path):
    """An input changed in place, a Dropout behind a ReLU that a RoI pooling reads, an output that is a copy."""
    (tmp_path / "net.prototxt").write_text("""
        layer { name: "in" type: "Input" top: "x" top: "rois" top: "unread"
                input_param { shape { dim: 1 dim: 2 dim: 9 dim: 8 } shape { dim: 3 dim: 5 } shape { dim: 2 } } }
        layer { name: "relu" type: "ReLU" bottom: "x" top: "y" }
        layer { name: "drop" type: "Dropout" bottom: "y" top: "y" }
        layer { name: "pool" type: "ROIPooling" bottom: "y" bottom: "rois" top: "pooled"
                roi_pooling_param { pooled_h: 2 pooled_w: 1 spatial_scale: 0.5 } }
        layer { name: "copy" type: "Dropout" bottom: "pooled" top: "copied" }
        layer { name: "in2" type: "Input" top: "z" input_param { shape { dim: 2 dim: 6 } } }
        layer { name: "scale" type: "Power" bottom: "z" top: "z" power_param { scale: 3 } }
    """)
    net = caffe.Net(tmp_path / "net.prototxt", caffe.TEST)
    model = to_onnx(net)
    assert [output.name for output in model.graph.output] == ["copied", "scale:1"]
    rng = np.random.default_rng(2)
    inputs = {
        "x": rng.standard_normal((1, 2, 9, 8), np.float32),
        "rois": np.array([[0, 1, 2, 9, 12], [0, 0, 0, 3, 3], [0, 4, 4, 15, 17]], np.float32),
        "unread": np.zeros(2, np.float32),
        "z": rng.standard_normal((2, 6), np.float32),
    }
    theirs = onnxruntimes(model)(inputs)
    np.testing.assert_array_equal(theirs["scale:1"], inputs["z"] * 3)
    np.testing.assert_array_equal(theirs["copied"], ours(net, inputs)["copied"])


def test_a_shared_param_is_written_once(tmp_path):
    twin = 'layer {{ name: "{0}" type: "InnerProduct" bottom: "{1}" top: "{0}" param {{ name: "w" }} {2} }}\n'
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 6 } } }\n'
        + twin.format("a", "x", "inner_product_param { num_output: 6 bias_term: false }")
        + twin.format("b", "a", "inner_product_param { num_output: 6 bias_term: false }")
    )
    net = caffe.Net(tmp_path / "net.prototxt", caffe.TEST)
    add_noise(net)
    model = to_onnx(net)
    assert [list(constant.dims) for constant in model.graph.initializer] == [[6, 6]]
    x = {"x": np.random.default_rng(3).standard_normal((2, 6), np.float32)}
    assert differences(ours(net, x), onnxruntimes(model)(x))["b"] < 1e-6


def test_the_net_has_its_shapes_and_inputs_again(folder):
    _, net = folder
    before = {name: blob.shape for name, blob in net.blobs.items()}
    net.blobs["x"].data[...] = 7
    to_onnx(net)
    assert (net.blobs["x"].data == 7).all()
    assert {name: blob.shape for name, blob in net.blobs.items()} == before


def test_the_same_model_each_time():
    net = caffe.Net(zoo.path("shapes_test"), caffe.TEST)
    assert to_onnx(net).SerializeToString(deterministic=True) == to_onnx(net).SerializeToString(
        deterministic=True
    )
