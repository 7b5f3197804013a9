"""caffe_compat.to_torch: a net as a module of torch, against the net itself."""

import warnings

import numpy as np
import pytest
from processes import python
from recordings import net_of
from solvers.nets import NET, minibatch

torch = pytest.importorskip("torch")

import caffe_compat as caffe  # noqa: E402
from caffe_compat.errors import CaffeCompatError  # noqa: E402

# fc is shared, and read-only in its upper use; the LSTM has no torch counterpart; two losses, one weighted
SHARED = """\
layer { name: "x" type: "Input" top: "x" top: "t" top: "cont"
        input_param { shape { dim: 3 dim: 2 dim: 5 } shape { dim: 3 dim: 2 dim: 4 } shape { dim: 3 dim: 2 } } }
layer { name: "type" type: "LSTM" bottom: "x" bottom: "cont" top: "h"
        recurrent_param { num_output: 7 weight_filler { type: "uniform" min: -0.5 max: 0.5 } } }
layer { name: "top.fc" type: "InnerProduct" bottom: "h" top: "a" param { name: "w" } param { name: "b" }
        propagate_down: false inner_product_param { num_output: 4 axis: 2 weight_filler { type: "xavier" } } }
layer { name: "frozen" type: "InnerProduct" bottom: "h" top: "f" param { lr_mult: 0 } param { lr_mult: 0 }
        inner_product_param { num_output: 4 axis: 2 weight_filler { type: "xavier" } } }
layer { name: "fc" type: "InnerProduct" bottom: "f" top: "g" param { name: "w2" }
        inner_product_param { num_output: 4 axis: 2 weight_filler { type: "xavier" } } }
layer { name: "fc_again" type: "InnerProduct" bottom: "g" top: "b" param { name: "w2" lr_mult: 3 decay_mult: 0 }
        inner_product_param { num_output: 4 axis: 2 weight_filler { type: "xavier" } } }
layer { name: "one" type: "EuclideanLoss" bottom: "a" bottom: "t" top: "one" }
layer { name: "two" type: "EuclideanLoss" bottom: "b" bottom: "t" top: "two" loss_weight: 0.3 }
"""


def shared_net():
    caffe.set_random_seed(1)
    net = net_of(SHARED)
    rng = np.random.RandomState(3)
    for name in "xt":
        net.blobs[name].data[...] = rng.standard_normal(net.blobs[name].shape)
    net.blobs["cont"].data[1:] = 1
    return net, {name: torch.from_numpy(net.blobs[name].data.copy()) for name in net.inputs}


def module_of(net):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        module = caffe.to_torch(net)
    return module, [str(each.message) for each in told]


def test_outputs_loss_and_gradients_are_the_nets():
    net, inputs = shared_net()
    module, told = module_of(net)
    assert len(told) == 1 and told[0].startswith("no torch counterpart: type (LSTM); computed on the CPU")
    outputs = module(**inputs)
    module.loss.backward()
    net.clear_param_diffs()  # the LSTM has run there
    want = net.forward()
    net.backward()
    for name, value in want.items():
        np.testing.assert_allclose(outputs[name].detach(), value, rtol=1e-5)
    assert outputs.keys() == want.keys()
    assert module.loss.item() == pytest.approx(want["one"] + 0.3 * want["two"], rel=1e-5)
    for name, blobs in net.params.items():
        for j, blob in enumerate(blobs):
            grad = module.layers[name].params[j].grad
            if name == "frozen":
                assert grad is None
            else:
                np.testing.assert_allclose(grad, blob.diff, rtol=1e-4, atol=1e-6, err_msg=f"{name}:{j}")


def test_params_are_called_as_in_the_net_and_shared_ones_are_one():
    net, _ = shared_net()
    module, _ = module_of(net)
    names = {f"layers.{name}.{j}" for name, blobs in net.params.items() for j in range(len(blobs))}
    assert module.state_dict().keys() == names
    assert module.layers["fc"].params[0] is module.layers["fc_again"].params[0]
    assert module.layers["fc"].params[1] is not module.layers["fc_again"].params[1]
    assert len(list(module.parameters())) == len(net.learnable)
    fixed = {name for name, param in module.named_parameters() if not param.requires_grad}
    assert fixed == {"layers.frozen.0", "layers.frozen.1"}


def test_param_groups_have_the_multipliers():
    net, _ = shared_net()
    module, _ = module_of(net)
    groups = {id(group["params"][0]): group for group in module.param_groups(0.1, 0.01)}
    group = groups[id(module.layers["fc"].params[0])]
    assert group["lr"] == pytest.approx(0.3) and group["weight_decay"] == 0
    torch.optim.SGD(module.param_groups(0.1, 0.01), lr=0.1).step()


def test_changing_the_module_leaves_the_net():
    net, inputs = shared_net()
    before = net.params["fc"][0].data.copy()
    module, _ = module_of(net)
    module(**inputs)
    module.loss.backward()
    torch.optim.SGD(module.param_groups(0.1, 0), lr=0.1).step()
    np.testing.assert_array_equal(net.params["fc"][0].data, before)
    assert np.abs(module.layers["fc"].params[0].detach().numpy() - before).max() > 1e-3


def test_a_data_layer_serves_it_and_masks_can_be_handed_in():
    caffe.set_random_seed(1)
    net = net_of(NET)
    net.layers[0].set_blobs([minibatch(0), minibatch(1)])
    module = caffe.to_torch(net)
    kept = np.arange(25).reshape(5, 5) % 3 > 0
    module.layers["drop"].compute.kept = torch.from_numpy(kept)
    losses = [module()["loss"].item(), module()["loss"].item()]
    net.layers[0].set_blobs([minibatch(0), minibatch(1)])
    for loss in losses:
        net.forward_from_to(0, 3)  # to fc
        x = net.blobs["fc"].data
        x[...] = x * kept / np.float32(0.6)
        net.forward_from_to(5, 6)  # from score on
        assert loss == pytest.approx(float(net.blobs["loss"].data), rel=1e-5)
    assert losses[0] != losses[1]


def test_wrong_inputs():
    net, inputs = shared_net()
    module, _ = module_of(net)
    del inputs["t"]
    with pytest.raises(CaffeCompatError, match=r"the inputs are x, cont; expected \['x', 't', 'cont'\]"):
        module(**inputs)


def test_torch_is_imported_only_when_asked_for():
    done = python("import sys, caffe_compat; print('torch' in sys.modules)")
    assert done.stdout == "False\n", done.stderr


def test_without_torch_one_line_says_what_to_install(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('not there')")
    done = python("import caffe_compat; caffe_compat.set_engine('torch')", path=tmp_path)
    assert done.stderr.splitlines()[-1].endswith("this needs torch: pip install 'caffe-compat[torch]'")
