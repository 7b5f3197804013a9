"""What users get wrong: one line that names the place and the way out, and a fixed exit code."""

import numpy as np
import pytest
from commands import run_prototxt
from processes import TINY

ROI_NET = """\
layer { name: "in" type: "Input" top: "x" top: "rois"
        input_param { shape { dim: 2 dim: 3 dim: 8 dim: 9 } shape { dim: 4 dim: 5 } } }
layer { name: "pool" type: "ROIPooling" bottom: "x" bottom: "rois" top: "y"
        roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 1 } }
"""

TEXTS = {
    "misspelt field": (
        ("num_output: 4", "num_outptu: 4"),
        3,
        "net.prototxt:5:29: error: ConvolutionParameter has no field 'num_outptu'; did you mean 'num_output'?",
    ),
    "a fork's field": (
        ("kernel_size: 3", "kernel_size: 3 shape_offset: 1"),
        3,
        "net.prototxt:5:58: error: ConvolutionParameter has no field 'shape_offset'; it is of happynear's Caffe: "
        "what it does is not built here; remove it if you can do without",
    ),
    "unknown layer type": (
        ('"Convolution"', '"Convolutoin"'),
        4,
        "net.prototxt:4: error: layer 'conv': unknown layer type 'Convolutoin'; did you mean 'Convolution'?",
    ),
    "missing bottom": (
        ('bottom: "conv"', 'bottom: "con"'),
        4,
        "net.prototxt:6: error: layer 'ip': unknown bottom blob 'con' (bottom 0); did you mean 'conv'?",
    ),
    "top produced twice": (
        ('top: "ip"', 'top: "x"'),
        4,
        "net.prototxt:6: error: layer 'ip': top 'x' is already produced by layer 'in'; "
        "give one of them another name",
    ),
    "number of propagate_down flags": (
        ('top: "ip"', 'top: "ip" propagate_down: true propagate_down: true'),
        4,
        "net.prototxt:6: error: layer 'ip': has 2 propagate_down flags for 1 bottoms; "
        "give none, or one for each bottom",
    ),
    "dims that need terabytes": (
        ("dim: 2 dim: 3 dim: 5 dim: 7", "dim: 2000 dim: 3000 dim: 500 dim: 70000"),
        5,
        "net.prototxt:2: error: layer 'in' (Input): a blob of shape (2000, 3000, 500, 70000) has "
        "210000000000000 elements (764 TiB), more than Caffe's limit of 2147483647; "
        "check the dims, the kernel sizes and num_output",
    ),
    "a param that needs terabytes": (
        ("num_output: 6", "num_output: 2000000000"),
        5,
        "net.prototxt:6: error: layer 'ip' (InnerProduct): a blob of shape (2000000000, 60) has "
        "120000000000 elements (0.437 TiB), more than Caffe's limit of 2147483647; "
        "check the dims, the kernel sizes and num_output",
    ),
}


def check(done, code, message):
    assert (done.returncode, done.stderr.rstrip("\n")) == (code, message)


@pytest.mark.parametrize("change, code, message", TEXTS.values(), ids=TEXTS)
def test_prototxt(change, code, message, tmp_path):
    assert change[0] in TINY
    (tmp_path / "net.prototxt").write_text(TINY.replace(*change, 1))
    check(run_prototxt("net.prototxt", "--quiet", cwd=tmp_path), code, message)


def test_no_such_file(tmp_path):
    done = run_prototxt("net.prototxt", "--quiet", cwd=tmp_path)
    check(done, 3, "net.prototxt: error: cannot be read: No such file or directory")


NAN = np.zeros((2, 3, 5, 7))
NAN[1, 2, 0, 3] = np.nan
ONES = np.ones((2, 3, 5, 7))
INPUTS = {
    "NaN": (
        dict(x=NAN, t=[0, 0]),
        7,
        "in.npz: error: 'x' is not finite at (1, 2, 0, 3); clean the data first",
    ),
    "misspelt name": (
        dict(xx=ONES, t=[0, 0]),
        7,
        "in.npz: error: the net takes no data named 'xx'; did you mean 'x'?",
    ),
    "missing name": (dict(t=[0, 0]), 7, "in.npz: error: no array for x; the net takes x, t"),
    "rank": (
        dict(x=ONES[0], t=[0, 0]),
        7,
        "in.npz: error: input 'x' has shape (2, 3, 5, 7), the array (3, 5, 7): not as many axes",
    ),
    "label out of range": (
        dict(x=ONES, t=[1, 9]),
        5,
        "net.prototxt:7: error: layer 'loss' (SoftmaxWithLoss): label 9 at [1] of the labels (shape (2,)) is no "
        "class; the predictions have classes 0 to 5: correct the labels, num_output or ignore_label",
    ),
}


@pytest.mark.parametrize("arrays, code, message", INPUTS.values(), ids=INPUTS)
def test_inputs(arrays, code, message, tmp_path):
    (tmp_path / "net.prototxt").write_text(TINY)
    np.savez(tmp_path / "in.npz", **arrays)
    check(run_prototxt("net.prototxt", "--quiet", "--inputs", "in.npz", cwd=tmp_path), code, message)


@pytest.mark.parametrize("content", [b"PK\x03\x04 broken", b'{"x": 1}'])
def test_inputs_that_are_no_npz(content, tmp_path):
    (tmp_path / "net.prototxt").write_text(TINY)
    (tmp_path / "in.npz").write_bytes(content)
    done = run_prototxt("net.prototxt", "--quiet", "--inputs", "in.npz", cwd=tmp_path)
    assert done.returncode == 7
    assert (
        done.stderr.startswith("in.npz: error: this is no .npz of number arrays (")
        and done.stderr.count("\n") == 1
    )
    assert "pickle" not in done.stderr


def test_roi_of_an_image_that_is_not_there(tmp_path):
    (tmp_path / "net.prototxt").write_text(ROI_NET)
    rois = np.array([[0, 1, 1, 4, 4], [1, 0, 0, 3, 3], [2, 1, 2, 3, 4], [0, 0, 0, 1, 1]])
    np.savez(tmp_path / "in.npz", x=np.ones((2, 3, 8, 9)), rois=rois)
    done = run_prototxt("net.prototxt", "--quiet", "--inputs", "in.npz", cwd=tmp_path)
    assert done.returncode == 5
    assert done.stderr.startswith("net.prototxt:3: error: layer 'pool' (ROIPooling): RoI 2 ")
    assert done.stderr.count("\n") == 1 and "0 to 1" in done.stderr


def test_weights_of_another_shape(tmp_path):
    (tmp_path / "net.prototxt").write_text(TINY)
    (tmp_path / "other.prototxt").write_text(TINY.replace("num_output: 6", "num_output: 5"))
    write_weights(tmp_path / "other.prototxt", tmp_path / "w.caffemodel")
    done = run_prototxt("net.prototxt", "--quiet", "--weights", "w.caffemodel", cwd=tmp_path)
    check(
        done,
        6,
        "w.caffemodel: error: layer 'ip', param 0: the net has shape (6, 60), the file (5, 60); "
        "rename the layer to train it from scratch, or make it like the one in the file",
    )


def test_truncated_weights(tmp_path):
    (tmp_path / "net.prototxt").write_text(TINY)
    write_weights(tmp_path / "net.prototxt", tmp_path / "w.caffemodel")
    data = (tmp_path / "w.caffemodel").read_bytes()
    (tmp_path / "w.caffemodel").write_bytes(data[: len(data) // 2])
    done = run_prototxt("net.prototxt", "--quiet", "--weights", "w.caffemodel", cwd=tmp_path)
    assert done.returncode == 6
    assert done.stderr.startswith(
        "w.caffemodel: error: this is no .caffemodel, or a part of it is missing; get"
    )
    assert done.stderr.count("\n") == 1


def write_weights(net, path):
    import caffe_compat as caffe

    caffe.Net(net, caffe.TEST).save(path)


def test_an_exception_of_a_users_layer_names_its_place(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import caffe\n\n\nclass Mine(caffe.Layer):\n"
        "    def setup(self, bottom, top):\n        pass\n"
        "    def reshape(self, bottom, top):\n        top[0].reshape(*bottom[0].data.shape)\n"
        "    def forward(self, bottom, top):\n        raise KeyError('my own')\n"
        "    def backward(self, top, propagate_down, bottom):\n        pass\n"
    )
    net = (
        TINY
        + 'layer { name: "u" type: "Python" bottom: "loss" top: "u" python_param { module: "mine" layer: "Mine" } }'
    )
    (tmp_path / "net.prototxt").write_text(net)
    done = run_prototxt("net.prototxt", "--quiet", cwd=tmp_path)
    check(
        done,
        2,
        f"{tmp_path / 'mine.py'}:10: error: KeyError: 'my own', in forward of layer 'u' (Python) "
        "(--traceback shows more)",
    )
    assert "Traceback" in run_prototxt("net.prototxt", "--quiet", "--traceback", cwd=tmp_path).stderr
