"""Users' Python layers in a net: losses, params, phases, exceptions, and `import caffe` wherever they like."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from recordings import net_of

import caffe_compat as caffe

NET = """
force_backward: {force}
layer {{ name: "in" type: "Input" top: "x" top: "t"
         input_param {{ shape {{ dim: 3 dim: 2 }} shape {{ dim: 3 dim: 5 }} }} }}
layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "y"
         inner_product_param {{ num_output: 5 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "mine" type: "Python" bottom: "y" bottom: "t" top: "out" loss_weight: {weight}
         python_param {{ module: "{module}" layer: "{layer}" param_str: "{param_str}" }} }}
"""


def net_with(module: str, layer: str, weight: float = 0, param_str: str = "", phase=caffe.TRAIN):
    force = "false" if weight else "true"
    text = NET.format(module=module, layer=layer, weight=weight, param_str=param_str, force=force)
    return net_of(text, phase)


LOSS = """
    import numpy as np
    import caffe


    class Euclidean(caffe.Layer):
        def setup(self, bottom, top):
            if len(bottom) != 2:
                raise Exception("two bottoms")

        def reshape(self, bottom, top):
            self.diff = np.zeros_like(bottom[0].data, dtype=np.float32)
            top[0].reshape(1)

        def forward(self, bottom, top):
            self.diff[...] = bottom[0].data - bottom[1].data
            top[0].data[...] = np.sum(self.diff ** 2) / bottom[0].num / 2.

        def backward(self, top, propagate_down, bottom):
            for i, sign in enumerate((1, -1)):
                if propagate_down[i]:
                    bottom[i].diff[...] = sign * top[0].diff * self.diff / bottom[i].num
"""


def test_a_loss(write):
    write("loss_of_mine.py", LOSS)
    net = net_with("loss_of_mine", "Euclidean", weight=2.5)
    assert net.layers[2].type == "Python" and net.blob_loss_weights["out"] == 2.5
    rng = np.random.RandomState(0)
    x, t = rng.standard_normal((3, 2)), rng.standard_normal((3, 5))
    loss = net.forward(x=x, t=t)["out"]
    error = x @ net.params["ip"][0].data.T - t
    np.testing.assert_allclose(loss, [(error**2).sum() / 6], rtol=1e-5)
    assert net._forward(0, 2) == pytest.approx(2.5 * loss[0])
    net.backward()
    np.testing.assert_allclose(net.params["ip"][0].diff, 2.5 * error.T @ x / 3, rtol=1e-4, atol=1e-6)
    assert not net.blobs["t"].diff.any()


EVERYWHERE = """
    from caffe import Layer


    def helper():
        import caffe.errors as errors
        return errors


    class Everywhere(Layer):
        def __init__(self, param):
            import caffe
            super(Everywhere, self).__init__(param)
            self.seen = [caffe.TEST]

        def look(self):
            import caffe
            from caffe.layers.base import Layer as base
            assert isinstance(self, caffe.Layer) and base is caffe.Layer
            assert helper().CaffeCompatError is caffe.CaffeCompatError
            self.seen.append(caffe.__name__)

        def setup(self, bottom, top):
            self.look()
            self.blobs.add_blob(2, 3)
            self.blobs[0].data[...] = self.phase + float(self.param_str) + float(self.param_str_)
            self.param_str = "mine to change"

        def reshape(self, bottom, top):
            self.look()
            top[0].reshape(*bottom[0].shape)

        def forward(self, bottom, top):
            self.look()
            top[0].data[...] = bottom[0].data * self.blobs[0].data[1, 2]

        def backward(self, top, propagate_down, bottom):
            self.look()
            bottom[0].diff[...] = 1
            self.blobs[0].diff[...] = 7
"""


def test_caffe_is_there_in_all_methods_and_nowhere_else(write):
    write("everywhere.py", EVERYWHERE)
    net = net_with("everywhere", "Everywhere", param_str="0.5", phase=caffe.TEST)
    net.forward()
    net.backward()
    assert net.layer_dict["mine"].seen == [1, *["caffe_compat"] * 5]
    assert not [name for name in sys.modules if name == "caffe" or name.startswith("caffe.")]
    assert sys.modules["caffe_compat.errors"].__spec__.name == "caffe_compat.errors"
    assert not [finder for finder in sys.meta_path if type(finder).__module__.startswith("caffe_compat.")]


def test_params_are_kept_shared_and_the_phase_is_known(write, tmp_path):
    write("everywhere.py", EVERYWHERE)
    nets = {
        phase: net_with("everywhere", "Everywhere", param_str="0.5", phase=phase)
        for phase in (caffe.TRAIN, caffe.TEST)
    }
    assert [net.params["mine"][0].data[1, 1] for net in nets.values()] == [1, 2]
    train, test = nets.values()
    train.params["mine"][0].data[1, 2] = 4
    train.save(str(tmp_path / "w.caffemodel"))
    test.copy_from(str(tmp_path / "w.caffemodel"))
    assert test.params["mine"][0].data[1, 2] == 4 and test.params["mine"][0].data[0, 2] == 1
    out = test.forward(x=np.ones((3, 2)), t=np.ones((3, 5)))["out"]
    np.testing.assert_array_equal(out, 4 * test.blobs["y"].data)
    test.backward()
    assert (test.params["mine"][0].diff == 7).all()
    test.share_with(train)
    train.params["mine"][0].data[1, 2] = -1
    assert test.params["mine"][0].data[1, 2] == -1


FAILS = """
    import caffe

    class Mine(Exception):
        pass

    class Fails(caffe.Layer):
        def fail(self, where):
            if self.param_str == where:
                errors = {"setup": RuntimeError, "reshape": IndexError, "forward": Mine, "backward": StopIteration}
                raise errors[where](where)

        def setup(self, bottom, top):
            self.fail("setup")

        def reshape(self, bottom, top):
            self.fail("reshape")
            top[0].reshape(*bottom[0].shape)

        def forward(self, bottom, top):
            self.fail("forward")

        def backward(self, top, propagate_down, bottom):
            self.fail("backward")
"""


@pytest.mark.parametrize("where", ["setup", "reshape", "forward", "backward"])
def test_exceptions_keep_their_type(write, where):
    write("fails_somewhere.py", FAILS)
    with pytest.raises(Exception) as error:
        net = net_with("fails_somewhere", "Fails", param_str=where)
        net.forward()
        net.backward()
    mine = {"setup": "RuntimeError", "reshape": "IndexError", "forward": "Mine", "backward": "StopIteration"}[
        where
    ]
    assert type(error.value).__name__ == mine and error.value.args == (where,)
    assert error.value.__notes__ == [f"in {where} of layer 'mine' (Python)"]
    assert "caffe" not in sys.modules


def test_a_layer_that_draws_its_batches(write):
    """A data layer of the user's: no bottoms, its own shapes from batch to batch."""
    write(
        "batches.py",
        """
        import caffe

        class Batches(caffe.Layer):
            def setup(self, bottom, top):
                self.sizes = eval(self.param_str)
                self.turn = 0

            def reshape(self, bottom, top):
                top[0].reshape(self.sizes[self.turn % 3], 2)
                top[1].reshape(self.sizes[self.turn % 3])

            def forward(self, bottom, top):
                self.turn += 1
                top[0].data[...] = self.turn
                top[1].data[...] = 10 * self.turn

            def backward(self, top, propagate_down, bottom):
                pass
        """,
    )
    net = net_of(
        'layer { name: "d" type: "Python" top: "a" top: "b" '
        'python_param { module: "batches" layer: "Batches" param_str: "[3, 1, 4]" } }'
        'layer { name: "p" type: "Power" bottom: "a" top: "c" power_param { scale: 2 } }'
    )
    for turn, size in enumerate((3, 1, 4, 3), 1):
        out = net.forward()
        assert out["c"].shape == (size, 2) and out["b"].shape == (size,)
        assert (out["c"] == 2 * turn).all() and (out["b"] == 10 * turn).all()


def test_a_layer_sees_the_blobs_themselves(write):
    write(
        "keeps_arrays.py",
        """
        import caffe

        class Keeps(caffe.Layer):
            def reshape(self, bottom, top):
                top[0].reshape(*bottom[0].shape)

            def forward(self, bottom, top):
                self.blobs_seen = bottom[0], top[0]
                self.arrays = bottom[0].data, top[0].data, bottom[0].diff, top[0].diff
        """,
    )
    net = net_with("keeps_arrays", "Keeps")
    net.forward()
    y, out = net.blobs["y"], net.blobs["out"]
    assert net.layer_dict["mine"].blobs_seen == (y, out)
    for mine, theirs in zip(net.layer_dict["mine"].arrays, (y.data, out.data, y.diff, out.diff), strict=True):
        assert mine.ctypes.data == theirs.ctypes.data and mine.shape == theirs.shape == (3, 5)
