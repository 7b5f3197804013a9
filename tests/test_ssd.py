"""An SSD as it is deployed, small: all its layers in one net, its detections against plain loops."""

import warnings

import numpy as np
import pytest
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.engine import EngineChoice
from layers.ssd import plain_ssd

CLASSES = 4
PRIORS = {
    "conv1": "min_size: 12 aspect_ratio: 2 clip: true",
    "conv2": "min_size: 16 max_size: 25 aspect_ratio: 2.25 variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2",
}
SIZES = {
    "conv1": [(12, 12), (12 * 2**0.5, 12 / 2**0.5), (12 / 2**0.5, 12 * 2**0.5)],
    "conv2": [(16, 16), (20, 20), (24, 32 / 3), (32 / 3, 24)],
}


def predictions(source: str, below: str, priors: int, param: str) -> str:
    """The layers that predict steps and scores of so many priors at each pixel of `below`, and these."""
    text = ""
    for kind, each in (("loc", 4), ("conf", CLASSES)):
        name = f"{source}_mbox_{kind}"
        text += f"""
layer {{ name: "{name}" type: "Convolution" bottom: "{below}" top: "{name}" convolution_param {{
    num_output: {priors * each} kernel_size: 3 pad: 1 weight_filler {{ type: "gaussian" std: 0.3 }} }} }}
layer {{ name: "{name}_perm" type: "Permute" bottom: "{name}" top: "{name}_perm"
    permute_param {{ order: 0 order: 2 order: 3 order: 1 }} }}
layer {{ name: "{name}_flat" type: "Flatten" bottom: "{name}_perm" top: "{name}_flat" flatten_param {{ axis: 1 }} }}
"""
    return (
        text
        + f"""
layer {{ name: "{source}_mbox_priorbox" type: "PriorBox" bottom: "{below}" bottom: "data"
    top: "{source}_mbox_priorbox" prior_box_param {{ {param} }} }}
"""
    )


def concat(what: str, axis: int) -> str:
    bottoms = " ".join(f'bottom: "{source}_mbox_{what}"' for source in SIZES)
    name = f"mbox_{what.removesuffix('_flat')}"
    return (
        f'layer {{ name: "{name}" type: "Concat" {bottoms} top: "{name}" concat_param {{ axis: {axis} }} }}\n'
    )


NET = f"""
name: "small SSD"
input: "data" input_shape {{ dim: 2 dim: 3 dim: 28 dim: 36 }}
layer {{ name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param {{
    num_output: 5 kernel_size: 3 pad: 1 stride: 4 weight_filler {{ type: "gaussian" std: 0.2 }} }} }}
layer {{ name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }}
layer {{ name: "conv1_norm" type: "Normalize" bottom: "conv1" top: "conv1_norm" norm_param {{
    across_spatial: false scale_filler {{ type: "constant" value: 2 }} channel_shared: false }} }}
layer {{ name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2" convolution_param {{
    num_output: 6 kernel_size: 3 pad: 1 stride: 2 weight_filler {{ type: "gaussian" std: 0.3 }} }} }}
layer {{ name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }}
{predictions("conv1", "conv1_norm", 3, PRIORS["conv1"])}
{predictions("conv2", "conv2", 4, PRIORS["conv2"])}
{concat("loc_flat", 1)} {concat("conf_flat", 1)} {concat("priorbox", 2)}
layer {{ name: "mbox_conf_reshape" type: "Reshape" bottom: "mbox_conf" top: "mbox_conf_reshape"
    reshape_param {{ shape {{ dim: 0 dim: -1 dim: {CLASSES} }} }} }}
layer {{ name: "mbox_conf_softmax" type: "Softmax" bottom: "mbox_conf_reshape" top: "mbox_conf_softmax"
    softmax_param {{ axis: 2 }} }}
layer {{ name: "mbox_conf_flatten" type: "Flatten" bottom: "mbox_conf_softmax" top: "mbox_conf_flatten"
    flatten_param {{ axis: 1 }} }}
layer {{ name: "detection_out" type: "DetectionOutput" bottom: "mbox_loc" bottom: "mbox_conf_flatten"
    bottom: "mbox_priorbox" top: "detection_out" include {{ phase: TEST }} detection_output_param {{
    num_classes: {CLASSES} share_location: true background_label_id: 0 code_type: CENTER_SIZE
    nms_param {{ nms_threshold: 0.45 top_k: 40 }} keep_top_k: 30 confidence_threshold: 0.2 }} }}
"""


LOSS = f"""
layer {{ name: "label" type: "Input" top: "label" input_param {{ shape {{ dim: 1 dim: 1 dim: 5 dim: 8 }} }} }}
layer {{ name: "mbox_loss" type: "MultiBoxLoss" bottom: "mbox_loc" bottom: "mbox_conf" bottom: "mbox_priorbox"
    bottom: "label" top: "mbox_loss" propagate_down: [true, true, false, false] multibox_loss_param {{
    num_classes: {CLASSES} code_type: CENTER_SIZE overlap_threshold: 0.4 }} }}
"""


def convolve(x, weight, bias, stride):
    """A 3 x 3 convolution with pad 1, pixel by pixel."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    height, width = (-(-size // stride) for size in x.shape[2:])
    y = np.empty((len(x), len(weight), height, width))
    for n, h, w in np.ndindex(len(x), height, width):
        patch = padded[n, :, h * stride : h * stride + 3, w * stride : w * stride + 3]
        y[n, :, h, w] = [(patch * kernel).sum() for kernel in weight] + bias
    return y


def by_prior(maps, each):
    """N x A*each x H x W as N x (H W A) x each."""
    n, channels, height, width = maps.shape
    rows = [
        maps[:, a : a + each, h, w]
        for h in range(height)
        for w in range(width)
        for a in range(0, channels, each)
    ]
    return np.stack(rows, axis=1).reshape(n, -1, each)


def filled(text, phase, engine="fast"):
    caffe.set_random_seed(1)
    net = net_of(text, phase, engine=EngineChoice(engine))
    rng = np.random.RandomState(2)
    net.blobs["data"].data[...] = rng.standard_normal(net.blobs["data"].shape)
    for blobs in net.params.values():
        blobs[-1].data[...] = rng.uniform(
            0.5, 1.5, blobs[-1].shape
        )  # the biases, and the scale of conv1_norm
    return net


@pytest.fixture
def net():
    return filled(NET, caffe.TEST)


def naive(net):
    """The rows of detection_out, computed from the data and the params."""
    params = {name: [blob.data.astype(float) for blob in blobs] for name, blobs in net.params.items()}
    data = net.blobs["data"].data.astype(float)
    conv1 = np.maximum(convolve(data, *params["conv1"], 4), 0)
    conv2 = np.maximum(convolve(conv1, *params["conv2"], 2), 0)
    norm = np.sqrt((conv1**2).sum(axis=1, keepdims=True) + 1e-10)
    maps = {"conv1": conv1 / norm * params["conv1_norm"][0][:, None, None], "conv2": conv2}
    steps, scores, boxes = [], [], []
    for source, x in maps.items():
        steps.append(by_prior(convolve(x, *params[f"{source}_mbox_loc"], 1), 4))
        scores.append(by_prior(convolve(x, *params[f"{source}_mbox_conf"], 1), CLASSES))
        height, width = x.shape[2:]
        more = {"clip": True} if source == "conv1" else {"variance": (0.1, 0.1, 0.2, 0.2)}
        boxes.append(
            plain_ssd.priors(SIZES[source], (height, width), (36, 28), (36 / width, 28 / height), **more)
        )
    scores = np.exp(np.concatenate(scores, axis=1))
    scores /= scores.sum(axis=2, keepdims=True)
    return plain_ssd.detections(
        np.concatenate(steps, axis=1).reshape(2, -1),
        scores.reshape(2, -1),
        np.concatenate(boxes, axis=2),
        CLASSES,
        code="CENTER_SIZE",
        least=0.2,
        top=40,
        thresh=0.45,
        keep=30,
    )


def test_detections(net):
    found = net.forward()["detection_out"]
    want = naive(net)
    assert found.shape == (1, 1, len(want), 7)
    assert set(want[:, 0]) == {0, 1} and set(want[:, 1]) == {1, 2, 3}
    np.testing.assert_allclose(found[0, 0], want, rtol=1e-4, atol=1e-5)


def test_it_learns():
    # the net with its loss; softmax and detections lead to no loss
    net = filled(NET + LOSS, caffe.TRAIN)
    rng = np.random.RandomState(3)
    corner = rng.uniform(0, 0.5, (5, 2))
    net.blobs["label"].data[0, 0] = np.column_stack(
        [
            [1, 0, 0, 1, -1],
            [1, 3, 2, 2, 0],
            np.zeros(5),
            corner,
            corner + rng.uniform(0.3, 0.5, (5, 2)),
            np.zeros(5),
        ]
    )
    losses = []
    for _ in range(40):
        losses.append(float(net.forward()["mbox_loss"]))
        net.clear_param_diffs()
        net.backward()
        for blobs in net.params.values():
            for blob in blobs:
                blob.data[...] -= 0.05 * blob.diff
    assert losses[-1] < 0.35 * losses[0], losses
    reasons = {name: plan.reason for name, plan in zip(net.layer_names, net.plan, strict=True)}
    assert reasons["mbox_conf_softmax"] == "no path to a loss"
    assert [reasons[name] for name in ("conv1_mbox_priorbox", "mbox_priorbox")] == [
        "propagate_down: false"
    ] * 2
    assert reasons["conv1"] == reasons["conv1_norm"] == ""


def with_a_map_that_is_empty(text: str) -> str:
    """The net with predictions on a third map, of 0 x 1 pixels: 5 x 5 windows do not fit into the second one, 4 x 5."""
    third = """
layer { name: "conv3" type: "Convolution" bottom: "conv2" top: "conv3" convolution_param {
    num_output: 7 kernel_size: 5 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "relu3" type: "ReLU" bottom: "conv3" top: "conv3" }
layer { name: "conv3_norm" type: "Normalize" bottom: "conv3" top: "conv3_norm" norm_param { across_spatial: false } }
""" + predictions("conv3", "conv3_norm", 2, "min_size: 20 max_size: 22")
    for what in ("loc_flat", "conf_flat", "priorbox"):
        last = f'bottom: "conv2_mbox_{what}" top'
        text = text.replace(last, f'bottom: "conv2_mbox_{what}" bottom: "conv3_mbox_{what}" top')
    before, first, behind = text.partition('layer { name: "mbox_loc" ')
    return before + third + first + behind


@pytest.mark.parametrize("engine", ["strict", "fast", "torch"])
@pytest.mark.parametrize("phase", [caffe.TEST, caffe.TRAIN])
def test_a_map_that_is_empty_changes_nothing(engine, phase):
    """Caffe goes on where a convolution's top has no pixels, so SSD's nets run on images that are too small for it."""
    if engine == "torch":
        pytest.importorskip("torch")
    text = NET + LOSS * (phase == caffe.TRAIN)
    found = []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for each in (text, with_a_map_that_is_empty(text)):
            net = filled(each, phase, engine)
            if phase == caffe.TRAIN:
                net.blobs["label"].data[0, 0] = [
                    [n, 1 + n, 0, 0.2, 0.3, 0.5 + n / 5, 0.7, 0] for n in (0, 1, 1, 1, 1)
                ]
            outputs = net.forward()
            if phase == caffe.TRAIN:
                for blobs in net.params.values():
                    for blob in blobs:
                        blob.diff[...] = 0
                net.backward()
                outputs |= {
                    f"{name} {i}": blob.diff
                    for name, blobs in net.params.items()
                    for i, blob in enumerate(blobs)
                }
            found.append({name: np.array(value) for name, value in outputs.items()})
    assert net.blobs["conv3"].shape == (2, 7, 0, 1)
    assert sum("layer 'conv3' (Convolution): a kernel of (5, 5)" in str(one.message) for one in told) == 1
    want, got = found
    for name, value in got.items():
        np.testing.assert_array_equal(value, want.get(name, np.zeros(value.shape)), err_msg=name)
    assert any(value.any() for value in want.values())
