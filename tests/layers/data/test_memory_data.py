"""MemoryData: batches in a circle, arrays by Net.set_input_arrays, state, and arrays that do not fit."""

import numpy as np
import pytest

import caffe_compat
from caffe_compat.errors import GraphError, LayerError
from layers.harness import Runner

LAYER = 'type: "MemoryData" memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 }'
RNG = np.random.RandomState(1)
DATA = RNG.standard_normal((6, 3, 4, 5)).astype(np.float32)
LABELS = RNG.randint(0, 9, 6).astype(np.float32)


def memory(params: str = LAYER) -> Runner:
    return Runner(params, [], tops=2)


def test_batches_in_a_circle():
    runner = memory()
    assert [top.shape for top in runner.top] == [(2, 3, 4, 5), (2,)]
    runner.layer.reset(DATA, LABELS)
    for start in (0, 2, 4, 0):
        data, labels = runner.forward()
        np.testing.assert_array_equal(data, DATA[start : start + 2])
        np.testing.assert_array_equal(labels, LABELS[start : start + 2].reshape(2, 1, 1, 1))


def test_the_net_hands_arrays_over(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(f'layer {{ name: "d" top: "data" top: "label" {LAYER} }}')
    net = caffe_compat.Net(path, caffe_compat.TRAIN)
    net.set_input_arrays(DATA, LABELS.reshape(6, 1, 1, 1))
    net.forward()
    out = net.forward()
    np.testing.assert_array_equal(out["data"], DATA[2:4])
    np.testing.assert_array_equal(out["label"].ravel(), LABELS[2:4])
    with pytest.raises(LayerError, match=r"net.prototxt:.*multiple of the batch size 2"):
        net.set_input_arrays(DATA[:3], LABELS[:3])


def test_a_net_that_begins_otherwise(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text('layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 } } }')
    with pytest.raises(GraphError, match="'in': the first layer is no MemoryData, but Input"):
        caffe_compat.Net(path, caffe_compat.TRAIN).set_input_arrays(DATA, LABELS)


def test_the_state_goes_on_exactly():
    a, b = memory(), memory()
    assert a.layer.get_state() == {}
    a.layer.reset(DATA, LABELS)
    a.forward()
    with pytest.raises(LayerError, match="the same arrays before the state"):
        b.layer.set_state(a.layer.get_state())
    b.layer.reset(DATA, LABELS)
    b.layer.set_state(a.layer.get_state())
    np.testing.assert_array_equal(b.forward()[0], DATA[2:4])


def test_a_transform_param_is_warned_about():
    runner = memory(LAYER + " transform_param { scale: 2 }")
    with pytest.warns(UserWarning, match="arrays are not transformed"):
        runner.layer.reset(DATA, LABELS)
    np.testing.assert_array_equal(runner.forward()[0], DATA[:2])


def test_what_does_not_fit():
    with pytest.raises(LayerError, match=r"the dims \(2, 3, 0, 0\)"):
        memory('type: "MemoryData" memory_data_param { batch_size: 2 channels: 3 }')
    runner = memory()
    with pytest.raises(LayerError, match=r"\(6, 4, 3, 5\); expected n x 3 x 4 x 5"):
        runner.layer.reset(DATA.transpose(0, 2, 1, 3), LABELS)
    with pytest.raises(LayerError, match=r"labels array has the shape \(5,\) for 6 images"):
        runner.layer.reset(DATA, LABELS[:5])


def test_without_arrays_the_tops_keep_what_is_written():
    runner = memory()
    runner.top[0].data[...], runner.top[1].data[...] = DATA[:2], LABELS[:2]
    runner.layer.forward([], runner.top)
    np.testing.assert_array_equal(runner.top[0].data, DATA[:2])
    np.testing.assert_array_equal(runner.top[1].data, LABELS[:2])


@pytest.mark.parametrize("engine", ["strict", "fast", "torch"])
def test_in_a_net_without_arrays(engine, tmp_path):
    if engine == "torch":
        pytest.importorskip("torch")
    path = tmp_path / "net.prototxt"
    path.write_text(
        f'layer {{ name: "m" top: "d" top: "l" {LAYER} }}\n'
        'layer { name: "p" type: "Power" bottom: "d" top: "p" power_param { scale: 2 } }'
    )
    net = caffe_compat.Net(path, caffe_compat.TEST, engine=engine)
    for i in (0, 2):
        net.blobs["d"].data[...] = DATA[i : i + 2]
        net.forward()
        np.testing.assert_array_equal(net.blobs["p"].data, 2 * DATA[i : i + 2])
