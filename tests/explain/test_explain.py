"""caffe-compat explain: the right reason, with the right line, for every bottom and param."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from commands import run

import caffe_compat as caffe
from caffe_compat.explain.explanation import explain
from caffe_compat.prototxt import zoo

OHEM = zoo.path("vgg_cnn_m_1024_fast_rcnn_ohem_train")
INPUT = 'layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 3 dim: 4 } shape { dim: 3 } } }'
SMALL = f"""\
{INPUT}
layer {{ name: "low" type: "InnerProduct" bottom: "x" top: "low" inner_product_param {{ num_output: 5
        weight_filler {{ type: "xavier" }} }}
        param {{ lr_mult: 0 }}
        param {{
            lr_mult: 0 }} }}
layer {{ name: "mid" type: "InnerProduct" bottom: "low" top: "mid"
        propagate_down: true
        inner_product_param {{ num_output: 6 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "read" type: "InnerProduct" bottom: "mid" top: "read" param {{ name: "w" }}
        propagate_down: false
        inner_product_param {{ num_output: 7 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "max" type: "ArgMax" bottom: "read" top: "max" propagate_down: false }}
layer {{ name: "top" type: "InnerProduct" bottom: "mid" top: "top"
        param {{ name: "w" lr_mult: 0.5 decay_mult: 3 }}
        inner_product_param {{ num_output: 7 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "aside" type: "InnerProduct" bottom: "mid" top: "aside" inner_product_param {{ num_output: 2 }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "top" bottom: "t" top: "loss" }}
"""


def command(*args):
    return run("caffe_compat.cli.main", "explain", *args)


def as_json(*args):
    done = command(*args, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("net") / "small.prototxt"
    path.write_text(SMALL)
    return path


def false_flags(path: Path) -> dict[str, list[int]]:
    """Layer -> lines with propagate_down: false, found without our reader (in a file with a layer's name on top)."""
    found: dict[str, list[int]] = {}
    name = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if match := re.match(r'  name: "(\w+)"', line):
            name = match[1]
        if "propagate_down: false" in line:
            found.setdefault(name, []).append(number)
    return found


def line_of(path: Path, text: str) -> int:
    return next(n for n, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_ohem_net():
    found = as_json(OHEM)
    flags = false_flags(OHEM)
    (branch,) = found["branches"]
    inside = [name for name in flags if name.endswith("_readonly") or name == "hard_roi_mining"]
    assert len(inside) == 11 and sorted(branch["layers"]) == sorted(inside)
    assert branch["own_lines"] == sorted(line for name in inside for line in flags[name])
    assert branch["above_lines"] == {name: flags[name] for name in ("roi_pool5", "loss_cls", "loss_bbox")}
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert layers["fc6_readonly"]["lines"] == [
        flags[name][0] for name in ("relu6_readonly", "drop6_readonly", "fc7_readonly")
    ]
    assert layers["conv1"]["bottoms"][0]["reason"] == "nothing learns below"
    assert layers["conv2"]["bottoms"][0]["lines"] == [line_of(OHEM, "param { lr_mult: 0 decay_mult: 0 }")]
    assert [b["gradient"] for b in layers["roi_pool5"]["bottoms"]] == [True, False]
    assert layers["roi_pool5"]["bottoms"][1]["lines"] == flags["roi_pool5"]
    (param,) = [param for param in found["params"] if param["name"] == "fc6_b"]
    line = line_of(OHEM, '"fc6_b" lr_mult: 2')
    assert (param["owner"], param["sharers"]) == ("fc6_readonly[1]", ["fc6[1]"])
    assert param["lr_mult"] == {"value": 2, "layer": "fc6", "line": line}
    assert param["decay_mult"] == {"value": 0, "layer": "fc6", "line": line}
    assert param["learns_from"] == ["fc6[1]"]
    assert found["differences"] == []


def test_text_of_the_ohem_net():
    done = command(OHEM)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines()[1:])) <= 100  # below the line with the path
    text = " ".join(done.stdout.split())
    assert "Read-only branch, 11 layers" in text and "computes forward and never learns" in text
    assert f"roi_pool5, line {false_flags(OHEM)['roi_pool5'][0]}; loss_cls" in text
    assert "fc6_w" in text and "this net would be the same" in text


def test_reasons_and_lines(small):
    layers = {layer["name"]: layer for layer in as_json(small)["layers"]}
    bottoms = {name: layer["bottoms"] for name, layer in layers.items()}
    assert (bottoms["low"][0]["reason"], bottoms["low"][0]["lines"]) == ("nothing learns below", [4, 6])
    assert bottoms["mid"][0]["forced"] and bottoms["mid"][0]["line"] == 8
    # Caffe's rule: a layer with gradient in none of its tops is pruned; ArgMax leads to no loss
    assert layers["read"]["reason"] == layers["max"]["reason"] == "no path to a loss"
    assert bottoms["aside"][0]["reason"] == "no path to a loss"
    assert bottoms["loss"][1]["reason"] == "nothing learns below" and bottoms["loss"][1]["lines"] == []


def test_both_meanings(small):
    replaces, restricts = as_json(small), as_json(small, "--propagate-down", "restricts")
    flows = [
        {(a["name"], b["blob"]): b["gradient"] for a in found["layers"] for b in a["bottoms"]}
        for found in (replaces, restricts)
    ]
    assert {key for key in flows[0] if flows[0][key] != flows[1][key]} == {("mid", "low")}
    assert flows[0]["mid", "low"]
    assert replaces["differences"] == restricts["differences"] == ["low into mid"]
    text = " ".join(command(small, "mid").stdout.split())
    assert "gradient flows, forced by the flag in line 8" in text
    assert "with --propagate-down restricts this would be different: gradient would not flow into low" in text


@pytest.mark.parametrize("meaning", ["replaces", "restricts"])
def test_params_that_learn_are_those_that_get_a_gradient(small, meaning):
    net = caffe.Net(small, caffe.TRAIN, propagate_down=meaning)
    rng = np.random.default_rng(4)
    net.blobs["x"].data[...] = rng.standard_normal((3, 4))
    net.blobs["t"].data[...] = [1, 6, 3]
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] += rng.standard_normal(blob.data.shape)
            blob.diff[...] = 0
    net.forward()
    net.backward()
    learns = {param.name: param.learns for param in explain(net).params}
    got = {name: bool(net.param_blob(p).diff.any()) for name, p in zip(learns, net.learnable, strict=True)}
    assert learns == got
    assert learns == {
        "low[0]": False, "low[1]": False, "mid[0]": True, "mid[1]": True, "w": True, "read[1]": False,
        "top[1]": True, "aside[0]": False, "aside[1]": False,
    }  # fmt: skip


def test_stories(small):
    param = command(small, "w").stdout
    assert "owned by read[0], shared by top[0]" in param
    assert "lr_mult 0.5 (top, line 15), decay_mult 3 (top, line 15)" in param
    assert "learns from top[0]; read[0] adds nothing" in param
    assert command(small, "top[0]").stdout == param
    both = command(small, "mid").stdout  # a layer and a blob
    assert both.startswith("layer mid (InnerProduct, line 7)\n")
    assert "blob mid 3x6\n" in both and "read by aside: no gradient: no path to a loss" in both
    assert "gradient comes back from top\n" in both


def test_a_bottom_that_its_type_gives_no_gradient(tmp_path):
    """The target is learnt, and no flag says anything; then one does."""
    for flag, reason in (
        ("", "its type gives this bottom no gradient"),
        ("propagate_down: [true, false]", "propagate_down: false"),
    ):
        path = tmp_path / "net.prototxt"
        path.write_text(
            'layer { name: "in" type: "Input" top: "x" top: "y" input_param { shape { dim: 3 dim: 4 } } }\n'
            'layer { name: "t" type: "InnerProduct" bottom: "y" top: "t" inner_product_param { num_output: 4 } }\n'
            'layer { name: "s" type: "InnerProduct" bottom: "x" top: "s" inner_product_param { num_output: 4 } }\n'
            f'layer {{ name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "s" bottom: "t" top: "loss" {flag} }}'
        )
        (loss,) = [layer for layer in explain(caffe.Net(path, caffe.TRAIN)).layers if layer.name == "loss"]
        assert [bottom.gradient for bottom in loss.bottoms] == [True, False]
        assert loss.bottoms[1].reason == reason


@pytest.mark.parametrize(
    ("meaning", "reason"),
    [("replaces", "its type gives this bottom no gradient"), ("restricts", "nothing learns below")],
)
def test_a_flag_asks_for_a_gradient_of_labels(tmp_path, meaning, reason):
    """Where a flag only restricts, it asks for nothing at a bottom below which nothing learns."""
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 3 dim: 4 } } }\n'
        'layer { name: "s" type: "InnerProduct" bottom: "x" top: "s" inner_product_param { num_output: 4 } }\n'
        'layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "s" bottom: "t" top: "loss"\n'
        "        propagate_down: [true, true] }"
    )
    net = caffe.Net(path, caffe.TRAIN, propagate_down=meaning)
    (loss,) = [layer for layer in explain(net).layers if layer.name == "loss"]
    assert (loss.bottoms[1].gradient, loss.bottoms[1].reason) == (False, reason)


def test_unknown_name(small):
    done = command(small, "midd")
    assert done.returncode == 1
    assert "no layer, blob or param 'midd' in phase TRAIN; did you mean mid" in done.stderr


def test_phase_and_old_form(tmp_path):
    net = tmp_path / "old.prototxt"
    net.write_text(
        'input: "x" input_dim: 2 input_dim: 3 input_dim: 1 input_dim: 1\n'
        'layers { name: "ip" type: INNER_PRODUCT bottom: "x" top: "ip"\n  blobs_lr: 0\n  blobs_lr: 2\n'
        "  weight_decay: 1\n  weight_decay: 0\n  inner_product_param { num_output: 4 } }\n"
        'layers { name: "loss" type: EUCLIDEAN_LOSS bottom: "ip" bottom: "x" include { phase: TRAIN } }\n'
        'layers { name: "prob" type: SOFTMAX bottom: "ip" top: "prob" include { phase: TEST } }\n'.replace(
            "num_output: 4", "num_output: 3"
        )
    )
    train, test = as_json(net), as_json(net, "--phase", "test")
    assert [layer["name"] for layer in train["layers"]][-1] == "loss"
    assert [layer["name"] for layer in test["layers"]][-1] == "prob" and test["phase"] == "TEST"
    assert [p["lr_mult"]["line"] for p in train["params"]] == [3, 4]
    assert [p["decay_mult"]["line"] for p in train["params"]] == [5, 6]
    assert [p["learns"] for p in train["params"]] == [False, True]
    assert not any(p["learns"] for p in test["params"])
    assert "No layer is a loss in phase TEST" in command(net, "--phase", "test").stdout


# ---- Python layers that are not imported ------------------------------------------------------------------------

PYTHON = 'type: "Python" python_param { module: "no_such_module" layer: "Mine" }'
NOT_KNOWN = "not known: what is not imported may learn"
NOT_IMPORTED = f"""\
{INPUT}
layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "ip" param {{ name: "w" }}
        inner_product_param {{ num_output: 5 }} }}
layer {{ name: "within" {PYTHON} bottom: "ip" top: "ip" }}
layer {{ name: "fc" type: "InnerProduct" bottom: "ip" top: "fc" inner_product_param {{ num_output: 7 }} }}
layer {{ name: "own" {PYTHON} bottom: "x" top: "own" }}
layer {{ name: "relu" type: "ReLU" bottom: "own" top: "own" }}
layer {{ name: "twin" type: "InnerProduct" bottom: "own" top: "twin" param {{ name: "w" }} param {{ lr_mult: 2 }}
        inner_product_param {{ num_output: 5 }} }}
layer {{ name: "loss" {PYTHON} bottom: "fc" bottom: "twin" bottom: "t" top: "loss" loss_weight: 1 }}
"""


@pytest.fixture(scope="module")
def not_imported(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("net") / "python.prototxt"
    path.write_text(NOT_IMPORTED)
    return path


def test_what_does_not_depend_on_a_layer_that_is_not_imported(not_imported):
    facts = as_json(not_imported)
    assert facts["not_imported"] == dict.fromkeys(["within", "own", "loss"], "no_such_module.Mine")
    layers = {layer["name"]: layer for layer in facts["layers"]}
    tops = {name: layer["tops"] for name, layer in layers.items()}
    assert tops["ip"] == tops["within"] == {"ip": [3, 5]} and tops["fc"] == {"fc": [3, 7]}
    assert [*tops["own"].values(), *tops["relu"].values(), *tops["twin"].values()] == [None] * 3
    reasons = {
        name: [bottom["gradient"] or bottom["reason"] for bottom in layer["bottoms"]]
        for name, layer in layers.items()
    }
    nothing = "nothing learns below"
    assert reasons == {
        "in": [],
        "ip": [nothing],
        "within": [True],
        "fc": [True],
        "own": [nothing],
        "relu": [NOT_KNOWN],
        "twin": [NOT_KNOWN],
        "loss": [True, True, nothing],
    }
    backward = {name: layer["backward"] or layer["reason"] for name, layer in layers.items()}
    assert backward["own"] == backward["relu"] == NOT_KNOWN and backward["twin"] is backward["loss"] is True
    params = {param["name"]: (param["shape"], param["learns"]) for param in facts["params"]}
    assert params == {
        "w": ([5, 4], True),
        "ip[1]": ([5], True),
        "fc[0]": ([7, 5], True),
        "fc[1]": ([7], True),
        "twin[1]": (None, True),
    }


def test_text_of_a_net_with_layers_that_are_not_imported(not_imported):
    done = command(not_imported)
    assert (done.returncode, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    assert "Not imported, as that would run it: within (no_such_module.Mine), own" in text
    assert "--python-layers imports it" in text and "twin[1] ? 2 (line" in text
    story = command(not_imported, "own").stdout.splitlines()
    assert story == [
        "layer own (Python, line 6)",
        "  no_such_module.Mine, which is not imported",
        f"  backward: {NOT_KNOWN}",
        "  bottom x 3x4, from in",
        "    no gradient: nothing learns below",
        "  top own ?: read by relu",
        "",
        "blob own ?",
        "  written by own (line 6)",
        "  changed in place by relu",
        f"  read by relu: gradient {NOT_KNOWN}",
        f"  read by twin: gradient {NOT_KNOWN}",
    ]


def test_a_param_that_is_first_used_where_shapes_are_not_known(tmp_path):
    """The shapes of one that is shared are compared where both are known."""
    layers = {text.split('"')[1]: text for text in re.split("^(?=layer)", NOT_IMPORTED, flags=re.M) if text}
    path = tmp_path / "net.prototxt"
    path.write_text("".join(layers[name] for name in ("in", "own", "twin", "ip")))
    shapes = {param["name"]: param["shape"] for param in as_json(path)["params"]}
    assert shapes == {"w": None, "twin[1]": None, "ip[1]": [5]}
