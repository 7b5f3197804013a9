"""The graph passes, text to text, and the wiring."""

import numpy as np
import pytest
from google.protobuf import text_format

from caffe_compat import graph
from caffe_compat.backward_plan import plan_backward
from caffe_compat.containers import BlobVec
from caffe_compat.errors import GraphError
from caffe_compat.layers.registry import create_layer
from caffe_compat.learnable_params import collect_params
from caffe_compat.net import Net
from caffe_compat.prototxt.caffe_pb2 import TEST, TRAIN, NetParameter


def net(text, phase=TRAIN, level=0, stages=()):
    return graph.with_state(text_format.Parse(text, NetParameter()), phase, level, stages)


def names(param):
    return [layer.name for layer in param.layer]


# ---- phases, levels, stages -----------------------------------------------------------------------------------

RULES = """
layer { name: "always" type: "Silence" }
layer { name: "train" type: "Silence" include { phase: TRAIN } }
layer { name: "test" type: "Silence" include { phase: TEST } }
layer { name: "not_train" type: "Silence" exclude { phase: TRAIN } }
layer { name: "either" type: "Silence" include { phase: TEST } include { min_level: 2 } }
layer { name: "levels" type: "Silence" include { min_level: 1 max_level: 3 } }
layer { name: "stages" type: "Silence" include { stage: "a" stage: "b" not_stage: "c" } }
"""


@pytest.mark.parametrize(
    "phase, level, stages, want",
    [
        (TRAIN, 0, [], ["always", "train"]),
        (TEST, 0, [], ["always", "test", "not_train", "either"]),
        (TRAIN, 2, [], ["always", "train", "either", "levels"]),
        (TRAIN, 4, [], ["always", "train", "either"]),
        (TRAIN, 0, ["a"], ["always", "train"]),
        (TRAIN, 0, ["b", "a"], ["always", "train", "stages"]),
        (TRAIN, 0, ["a", "b", "c"], ["always", "train"]),
    ],
)
def test_rules(phase, level, stages, want):
    filtered = graph.filter_net(net(RULES, phase, level, stages))
    assert names(filtered) == want
    assert {layer.phase for layer in filtered.layer} == {phase}


def test_a_layer_keeps_its_own_phase():
    filtered = graph.filter_net(net('layer { name: "d" type: "Dropout" phase: TEST }', TRAIN))
    assert filtered.layer[0].phase == TEST


def test_include_and_exclude_together():
    with pytest.raises(
        GraphError, match=r"^layer 'x': has include rules and exclude rules; use only one kind$"
    ):
        graph.filter_net(net('layer { name: "x" include { phase: TRAIN } exclude { phase: TEST } }'))


# ---- splits ---------------------------------------------------------------------------------------------------


def split(text):
    return graph.insert_splits(graph.filter_net(net(text)))


def test_no_split_where_each_top_is_used_once():
    text = """
    layer { name: "data" type: "Input" top: "x" }
    layer { name: "relu" type: "ReLU" bottom: "x" top: "x" }
    layer { name: "s" type: "Silence" bottom: "x" }"""
    assert split(text) == graph.filter_net(net(text))


def test_splits_after_in_place_layers_carry_the_last_producer():
    got = split("""
    layer { name: "data" type: "Input" top: "x" top: "y" }
    layer { name: "relu" type: "ReLU" bottom: "y" top: "y" }
    layer { name: "a" type: "Silence" bottom: "x" bottom: "y" }
    layer { name: "b" type: "Silence" bottom: "y" bottom: "x" bottom: "y" }""")
    want = graph.filter_net(
        net("""
    layer { name: "data" type: "Input" top: "x" top: "y" }
    layer { name: "x_data_0_split" type: "Split" bottom: "x" top: "x_data_0_split_0" top: "x_data_0_split_1" }
    layer { name: "relu" type: "ReLU" bottom: "y" top: "y" }
    layer { name: "y_relu_0_split" type: "Split" bottom: "y"
            top: "y_relu_0_split_0" top: "y_relu_0_split_1" top: "y_relu_0_split_2" }
    layer { name: "a" type: "Silence" bottom: "x_data_0_split_0" bottom: "y_relu_0_split_0" }
    layer { name: "b" type: "Silence" bottom: "y_relu_0_split_1" bottom: "x_data_0_split_1"
            bottom: "y_relu_0_split_2" }""")
    )
    assert got == want


IN_PLACE = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 6 } } }
layer { name: "a" type: "Power" bottom: "x" top: "y" power_param { scale: 2 } }
layer { name: "r" type: "ReLU" bottom: "y" top: "y" }
layer { name: "s" type: "Reshape" bottom: "y" top: "y" reshape_param { shape { dim: 0 dim: 2 dim: 3 } } }
layer { name: "t" type: "Reshape" bottom: "y" top: "y" reshape_param { shape { dim: -1 } } }
layer { name: "p" type: "Power" bottom: "y" top: "z" power_param { shift: 1 } }
"""


def test_reshapes_in_place_are_apart():
    param = graph.with_blobs_apart(net(IN_PLACE))
    blobs = [(*layer.bottom, *layer.top) for layer in param.layer]
    assert blobs == [("x",), ("x", "y_s"), ("y_s", "y_s"), ("y_s", "y_t"), ("y_t", "y"), ("y", "z")]
    assert graph.with_blobs_apart(param) == param


@pytest.mark.parametrize("engine", ["strict", "fast"])
def test_a_net_with_reshapes_in_place(engine, tmp_path):
    (tmp_path / "net.prototxt").write_text(IN_PLACE)
    made = Net(tmp_path / "net.prototxt", TEST, engine=engine)
    made.blobs["x"].data[...] = np.arange(12).reshape(2, 6)
    np.testing.assert_array_equal(made.forward()["z"], np.arange(12) * 2 + 1)
    assert made.blobs["y"].shape == (12,)


def test_an_lrn_in_place_is_that_of_two_blobs():
    text = """
    layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 7 dim: 3 dim: 4 }} }} }}
    layer {{ name: "p" type: "Power" bottom: "x" top: "y" power_param {{ scale: 3 }} }}
    layer {{ name: "n" type: "LRN" bottom: "y" top: "{0}" lrn_param {{ alpha: 2 }} }}
    layer {{ name: "z" type: "Power" bottom: "{0}" top: "z" loss_weight: 1 }}
    """
    x, got = np.random.RandomState(2).standard_normal((2, 7, 3, 4)), []
    for top in ("y", "other"):
        made = Net.from_param(net("force_backward: true" + text.format(top), TRAIN))
        made.blobs["x"].data[...] = x
        made.forward()
        made.backward()
        got.append((made.blobs[top].data.copy(), made.blobs["x"].diff.copy()))
    for one, other in zip(*got, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_input_is_not_reshaped_in_place():
    text = """
    layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 6 } } }
    layer { name: "s" type: "Reshape" bottom: "x" top: "x" reshape_param { shape { dim: 2 dim: 3 } } }
    """
    with pytest.raises(GraphError, match="type Reshape cannot work in place"):
        Net.from_param(net(text, TEST))


def test_a_loss_that_others_read_moves_its_weight_to_the_split():
    got = split("""
    layer { name: "data" type: "Input" top: "x" top: "t" }
    layer { name: "loss" type: "EuclideanLoss" bottom: "x" bottom: "t" top: "l" loss_weight: 3 }
    layer { name: "s" type: "Silence" bottom: "l" }""")
    assert names(got) == ["data", "loss", "l_loss_0_split", "s"]
    assert list(got.layer[1].loss_weight) == [0]
    assert list(got.layer[2].loss_weight) == [3, 0]
    assert list(got.layer[3].bottom) == ["l_loss_0_split_1"]


@pytest.mark.parametrize(
    "text, message",
    [
        (
            'layer { name: "d" top: "data" } layer { name: "s" bottom: "dta" }',
            "layer 's': unknown bottom blob 'dta' (bottom 0); did you mean 'data'?",
        ),
        (
            'layer { name: "s" bottom: "x" } layer { name: "d" top: "x" }',
            "layer 's': unknown bottom blob 'x' (bottom 0); layer 'd' produces it further down, move it up",
        ),
        (
            'layer { name: "s" bottom: "x" }',
            "layer 's': unknown bottom blob 'x' (bottom 0); no layer of this phase produces it",
        ),
        (
            'layer { name: "a" top: "x" } layer { name: "b" top: "x" }',
            "layer 'b': top 'x' is already produced by layer 'a'; give one of them another name",
        ),
        (
            'layer { name: "a" top: "x" } layer { name: "p" bottom: "x" top: "y" }'
            'layer { name: "r" bottom: "x" top: "x" }',
            "layer 'r': changes blob 'x' in place while layer 'p' reads it too; give its top another name",
        ),
    ],
)
def test_blobs_that_do_not_fit(text, message):
    with pytest.raises(GraphError) as error:
        split(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("rule", "hint"),
    [
        ("include { phase: TRAIN }", "in phase TRAIN only, and this is phase TEST"),
        ("exclude { phase: TEST }", "in phase TRAIN only, and this is phase TEST"),
        (
            'include { stage: "a" } include { stage: "b" }',
            "in stage 'a' or 'b' only, which this net is not built in",
        ),
        (
            "include { min_level: 3 }",
            "but its include or exclude rules leave it out of this net's phase and level",
        ),
    ],
)
def test_a_blob_of_another_phase(rule, hint):
    text = f'layer {{ name: "d" top: "data" {rule} }} layer {{ name: "s" bottom: "data" }}'
    net = graph.with_state(text_format.Parse(text, NetParameter()), TEST)
    with pytest.raises(GraphError) as error:
        graph.insert_splits(graph.filter_net(net), net)
    assert (
        str(error.value) == f"layer 's': unknown bottom blob 'data' (bottom 0); layer 'd' produces it, {hint}"
    )


# ---- wiring ---------------------------------------------------------------------------------------------------


def wired(text):
    param = split(text)
    layers = [create_layer(layer, layer.phase) for layer in param.layer]
    return graph.connect(param, layers), layers


def test_wiring():
    wires, _ = wired("""
    layer { name: "data" type: "Input" top: "x" top: "t" }
    layer { name: "r" type: "ReLU" bottom: "x" top: "x" }
    layer { name: "z" type: "ReLU" bottom: "x" top: "z" }
    layer { name: "a" type: "ReLU" bottom: "t" top: "a" }""")
    assert wires.blob_names == ["x", "t", "z", "a"]
    assert [(node.bottoms, node.tops) for node in wires.nodes] == [
        ([], [0, 1]),
        ([0], [0]),
        ([0], [2]),
        ([1], [3]),
    ]
    assert [wires.blob_names[i] for i in wires.inputs] == ["x", "t"]
    assert [wires.blob_names[i] for i in wires.outputs] == ["a", "z"]


def test_a_loss_layer_without_tops_gets_one():
    wires, _ = wired("""
    layer { name: "data" type: "Input" top: "x" top: "t" }
    layer { name: "loss" type: "EuclideanLoss" bottom: "x" bottom: "t" }""")
    assert wires.blob_names == ["x", "t", "(automatic)"]
    assert wires.nodes[1].loss_weights == [1]
    assert wires.outputs == []


@pytest.mark.parametrize(
    "layer, message",
    [
        ('name: "r" type: "ReLU" bottom: "x" bottom: "t" top: "y"', "type ReLU takes 1 bottom(s), found 2"),
        (
            'name: "e" type: "Eltwise" bottom: "x" top: "y"',
            "type Eltwise takes at least 2 bottom(s), found 1",
        ),
        ('name: "r" type: "ReLU" bottom: "x"', "type ReLU takes 1 top(s), found 0"),
        (
            'name: "r" type: "ReLU" bottom: "x" top: "y" propagate_down: true propagate_down: false',
            "has 2 propagate_down flags for 1 bottoms; give none, or one for each bottom",
        ),
        (
            'name: "p" type: "Pooling" bottom: "x" top: "x"',
            "type Pooling cannot work in place (top and bottom are both 'x'); give its top another name",
        ),
        (
            'name: "l" type: "EuclideanLoss" bottom: "x" bottom: "t" top: "l" loss_weight: 1 loss_weight: 2',
            "has 2 loss_weight(s) for 1 top(s); give none, or one for each top",
        ),
    ],
)
def test_counts(layer, message):
    with pytest.raises(GraphError) as error:
        wired('layer { name: "data" type: "Input" top: "x" top: "t" } layer { ' + layer + " }")
    assert error.value.message.split(": ", 1)[1] == message


# ---- the backward plan ----------------------------------------------------------------------------------------

CHAIN = """
layer { name: "data" type: "Input" top: "x" top: "t" }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" %s }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" %s }
layer { name: "loss" type: "EuclideanLoss" bottom: "b" bottom: "t" top: "l" %s }"""


def plan(text, meaning="replaces", force=False):
    wires, layers = wired(text)
    for layer in layers:
        if layer.type == "InnerProduct":
            layer.blobs = BlobVec()
            layer.blobs.add_blob(3, 2)
            layer.blobs.add_blob(3)
    plans = plan_backward(wires, layers, meaning, force)
    return {layer.name: p for layer, p in zip(layers, plans, strict=True)}


def needs(plans):
    return [name for name, p in plans.items() if p.need_backward]


FROZEN = "param { lr_mult: 0 } param { lr_mult: 0 }"


def test_plan_of_a_chain():
    plans = plan(CHAIN % ("", "", ""))
    assert needs(plans) == ["a", "b", "loss"]
    assert plans["a"].propagate_down == [False]
    assert plans["b"].propagate_down == [True]
    assert plans["loss"].propagate_down == [True, False]
    assert plans["data"].reason == "nothing learns below"


def test_plan_of_frozen_layers():
    plans = plan(CHAIN % (FROZEN, "param { lr_mult: 0 }", ""))
    assert needs(plans) == ["b", "loss"]
    assert plans["b"].param_propagate_down == [False, True]
    assert plans["b"].propagate_down == [False]
    assert needs(plan(CHAIN % (FROZEN, FROZEN, ""))) == []


def test_plan_without_loss():
    plans = plan('layer { name: "data" type: "Input" top: "x" }'
                 'layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" }')  # fmt: skip
    assert needs(plans) == []
    assert plans["a"].reason == "no path to a loss"


def test_without_loss_nothing_is_called_switched_off():
    plans = plan('layer { name: "data" type: "Input" top: "x" }'
                 'layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" }'
                 'layer { name: "b" type: "TanH" bottom: "a" top: "b" }')  # fmt: skip
    assert plans["a"].reason == plans["b"].reason == "no path to a loss"


@pytest.mark.parametrize("meaning", ["replaces", "restricts"])
def test_propagate_down_false_stops(meaning):
    plans = plan(CHAIN % ("", "propagate_down: false", ""), meaning)
    assert needs(plans) == ["b", "loss"]
    assert plans["b"].propagate_down == [False]
    assert plans["a"].reason == "propagate_down: false"


def test_propagate_down_true_forces_only_where_it_replaces():
    text = CHAIN % (FROZEN, "propagate_down: true", "")
    assert plan(text, "replaces")["b"].propagate_down == [True]
    assert plan(text, "restricts")["b"].propagate_down == [False]


def test_force_backward_spares_labels():
    plans = plan(CHAIN % (FROZEN, FROZEN, ""), force=True)
    assert needs(plans) == ["data", "a", "b", "loss"]
    assert plans["a"].propagate_down == [True] and plans["a"].param_propagate_down == [True, True]


# ---- shared params --------------------------------------------------------------------------------------------

SHARED = """
layer { name: "data" type: "Input" top: "x" }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" %s } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" %s } }
layer { name: "c" type: "InnerProduct" bottom: "b" top: "c" param { name: "w" %s } }"""


def params(text, *shapes):
    wires, layers = wired(text)
    for layer, shape in zip(layers[1:], shapes, strict=True):
        layer.blobs = BlobVec()
        layer.blobs.add_blob(*shape)
    return collect_params(wires, layers)


def test_later_sharers_say_what_the_owner_left_unsaid():
    (param,) = params(SHARED % ("", "lr_mult: 2", "lr_mult: 2 decay_mult: 0"), (3, 2), (3, 2), (3, 2))
    assert param.uses == [(1, 0), (2, 0), (3, 0)]
    assert (param.lr_mult.value, param.lr_mult.stated_by) == (2, "b")
    assert (param.decay_mult.value, param.decay_mult.stated_by) == (0, "c")


def test_unsaid_multipliers_are_one():
    (param,) = params(SHARED % ("", "", ""), (3, 2), (3, 2), (3, 2))
    assert (param.lr_mult.value, param.lr_mult.stated_by) == (1, "")


@pytest.mark.parametrize(
    "specs, shapes, message",
    [
        (
            ("lr_mult: 1", "", "lr_mult: 2"),
            [(3, 2)] * 3,
            "layer 'c': states lr_mult 2 for the shared param 'w', layer 'a' states 1; "
            "make them equal, or state it once",
        ),
        (
            ("regularization_type: 'L1'", "", "regularization_type: 'L2'"),
            [(3, 2)] * 3,
            "layer 'c': states regularization_type L2 for the shared param 'w', another layer states L1; "
            "make them equal, or state it once",
        ),
        (
            ("", "regularization_type: 'L1_DNS'", ""),
            [(3, 2)] * 3,
            "layer 'b': has a param of the unknown regularization_type 'L1_DNS'; known are L1 and L2",
        ),
        (
            ("", "", ""),
            [(3, 2), (2, 3), (3, 2)],
            "layer 'b': shares param 'w' with layer 'a', but needs the shape (2, 3) where that layer has (3, 2); "
            "equal counts: 'share_mode: PERMISSIVE' would allow it",
        ),
        (
            ("", "share_mode: PERMISSIVE", ""),
            [(3, 2), (7,), (3, 2)],
            "layer 'b': shares param 'w' with layer 'a', but needs the shape (7,) where that layer has (3, 2)",
        ),
    ],
)
def test_shares_that_do_not_fit(specs, shapes, message):
    with pytest.raises(GraphError) as error:
        params(SHARED % specs, *shapes)
    assert str(error.value) == message


def test_permissive_sharing():
    (param,) = params(SHARED % ("", "share_mode: PERMISSIVE", ""), (3, 2), (2, 3), (3, 2))
    assert len(param.uses) == 3


def test_more_specs_than_params():
    with pytest.raises(GraphError, match="has 1 param"):
        wires, layers = wired('layer { name: "d" type: "Input" top: "x" param { lr_mult: 1 } }')
        collect_params(wires, layers)


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ('layer { name: "l" type: "SoftmaxWithLoss" }', True),
        ('layer { name: "l" type: "SoftmaxWithLoss" loss_weight: 0 }', True),
        ('layer { name: "l" type: "Power" loss_weight: 0 loss_weight: 2 }', True),
        ('layer { name: "l" type: "Power" loss_weight: 0 }', False),
        ('layer { name: "l" type: "SoftmaxWithLoss" include { phase: TEST } }', False),
        ('layer { name: "l" type: "Softmax" } layer { name: "m" type: "NoSuch" }', False),
    ],
)
def test_has_loss(layers, found):
    assert graph.has_loss(net(layers)) == found
