"""Steps that a thread runs for one image after the other make what the layers make of the whole batch."""

import numba
import numpy as np
import pytest
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.engine import EngineChoice
from caffe_compat.engines.fast import image_by_image

IMAGES, SHAPE = 6, (5, 11, 13)
FILLERS = 'weight_filler { type: "gaussian" std: 0.3 } bias_filler { type: "gaussian" std: 0.5 }'
DATA = f"""layer {{ name: "data" type: "Input" top: "data" input_param {{
  shape {{ dim: {IMAGES} {" ".join(f"dim: {dim}" for dim in SHAPE)} }} }} }}
"""


def conv(bottom, top, how):
    params = f"convolution_param {{ {how} {FILLERS} }}"
    return (
        f'layer {{ name: "{top}" type: "Convolution" bottom: "{bottom}" top: "{top}" {params} }}\n'
        f'layer {{ name: "{top}-relu" type: "ReLU" bottom: "{top}" top: "{top}" }}\n'
    )


# one step that keeps filters in a form of its own, one that is two rows (Winograd's), a pooling, branches that meet
# again, what views and reorders
NET = (
    DATA
    + conv("data", "a", "num_output: 24 kernel_size: 3 pad: 1")
    + conv("a", "b", "num_output: 25 kernel_size: 3 pad: 1")
    + conv("b", "c", "num_output: 24 kernel_size: 1")
    + """
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "c" top: "sum" }
layer { name: "both" type: "Concat" bottom: "sum" bottom: "b" top: "both" }
layer { name: "pool" type: "Pooling" bottom: "both" top: "pool" pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "last" type: "Permute" bottom: "pool" top: "last" permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "flat" type: "Flatten" bottom: "last" top: "flat" }
layer { name: "top" type: "TanH" bottom: "flat" top: "top" }
"""
)
MAXIMA = 'layer { name: "p" type: "Pooling" bottom: "a" top: "p" pooling_param { kernel_size: 2 } }\n'


@pytest.fixture(autouse=True)
def _bounds(monkeypatch):
    monkeypatch.setattr(image_by_image, "LEAST", 0)
    monkeypatch.setattr(image_by_image, "MOST_PARAMS", 10**6)
    yield
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)


def run(engine, threads=1, images=IMAGES, text=NET, phase=caffe.TEST):
    numba.set_num_threads(threads)
    caffe.set_random_seed(5)
    net = net_of(text, phase, engine=EngineChoice(engine))
    net.blobs["data"].reshape(images, *SHAPE)
    net.blobs["data"].data[...] = np.random.RandomState(1).standard_normal((images, *SHAPE))
    net.forward()
    return net


def assert_same(fast, strict, names):
    for name in names:
        want = strict.blobs[name].data
        np.testing.assert_allclose(
            fast.blobs[name].data, want, rtol=0, atol=1e-5 * np.abs(want).max(), err_msg=name
        )


@pytest.mark.parametrize("threads", range(1, numba.config.NUMBA_NUM_THREADS + 1))
def test_all_layers_are_one_row(threads):
    fast = run("fast", threads)
    assert fast.engine.rows() == 1
    assert_same(fast, run("strict"), ["top"])


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="takes several threads")
@pytest.mark.parametrize("images, by_image", [(1, False), (3, False), (16, True), (17, True)])
def test_threads_have_about_as_many_images_each(images, by_image):
    fast = run("fast", 2, images)
    assert (fast.engine.rows() == 1) == by_image
    assert_same(fast, run("strict", 1, images), ["top"])


def test_other_images_are_not_read():
    net = run("fast")
    before = net.blobs["top"].data.copy()
    net.blobs["data"].data[3] *= 2
    net.forward()
    assert not np.allclose(net.blobs["top"].data[3], before[3])
    np.testing.assert_array_equal(np.delete(net.blobs["top"].data, 3, 0), np.delete(before, 3, 0))


@pytest.mark.parametrize("names", [["c"], ["last"], ["both", "a"], ["data", "pool", "sum", "b", "flat", "a"]])
def test_blobs_that_somebody_asks_for(names):
    """Few are made one by one, many all at once; those of them that are the same memory too."""
    fast, strict = run("fast", 2), run("strict")
    assert_same(fast, strict, [*names, "top"])
    for net in (fast, strict):
        net.blobs["data"].data[...] *= 0.5
        net.forward()
    assert_same(fast, strict, [*names, "top"])


def test_params_that_change():
    fast, strict = run("fast", 2), run("strict")
    for net in (fast, strict):
        for name in "abc":
            net.params[name][0].data[...] *= 1.5
        net.forward()
    assert_same(fast, strict, ["top"])


def test_a_layer_in_between_that_looks_at_all_images():
    text = NET.replace('"TanH"', '"Softmax" softmax_param { axis: 0 }')
    fast = run("fast", 2, text=text)
    assert fast.engine.rows() == 2
    assert_same(fast, run("strict", text=text), ["top", "last"])


def test_nets_that_train():
    text = (
        "force_backward: true\n"
        + NET
        + """
layer { name: "loss" type: "Reduction" bottom: "top" top: "loss" loss_weight: 1 reduction_param { operation: SUMSQ } }
"""
    )
    fast, strict = (run(engine, 2, text=text, phase=caffe.TRAIN) for engine in ("fast", "strict"))
    for net in (fast, strict):
        net.clear_param_diffs()
        net.backward()
    for name in "abc":
        got, want = (net.params[name][0].diff for net in (fast, strict))
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * np.abs(want).max(), err_msg=name)


def test_deconvolutions_and_volumes():
    """Steps with memory between their rows: each thread has its own."""
    wider = f"convolution_param {{ num_output: 3 kernel_size: 4 stride: 2 pad: 1 {FILLERS} }}"
    text = (
        DATA
        + f"""
layer {{ name: "a" type: "Deconvolution" bottom: "data" top: "a" {wider} }}
layer {{ name: "top" type: "Deconvolution" bottom: "a" top: "top" {wider} }}
"""
    )
    fast = run("fast", 2, text=text)
    assert fast.engine.rows() == 1
    assert_same(fast, run("strict", text=text), ["top"])
    text = (
        DATA
        + """
layer { name: "volume" type: "Reshape" bottom: "data" top: "volume" reshape_param { shape { dim: 0 dim: 1 dim: 5 dim: 11
  dim: 13 } } }
"""
        + conv("volume", "a", "num_output: 7 kernel_size: 3 pad: 1")
        + MAXIMA
        + conv("p", "top", "num_output: 3 kernel_size: 2")
    )
    fast = run("fast", 2, text=text)
    assert fast.engine.rows() == 1
    assert_same(fast, run("strict", text=text), ["top"])
