"""Every layer that is a step of a program, on every case of the contract sweep, in place too: tops and gradients are
those of the layer by itself."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format
from layers.cases import CASES
from layers.harness import parse
from layers.sweep import check_each, each_type

import caffe_compat as caffe
from caffe_compat.engines.fast.find_steps import StepGroup
from caffe_compat.engines.fast.steps.as_it_is import AS_THEY_ARE
from caffe_compat.errors import CaffeCompatError
from caffe_compat.layers.registry import layer_class
from caffe_compat.prototxt.caffe_pb2 import NetParameter

ALONE = [case for case in CASES if not layer_class(case.type).is_loss and layer_class(case.type).has_backward]
SEEN = set()


def net_of(case, in_place):
    """The layer behind Inputs; in place it works on what a Power has made."""
    net = NetParameter(force_backward=True)
    for i, shape in enumerate(case.shapes):
        net.layer.add(name=f"x{i}", type="Input", top=[f"x{i}"]).input_param.shape.add(dim=shape)
    bottoms = [f"x{i}" for i in range(len(case.shapes))]
    if in_place:
        net.layer.add(name="before", type="Power", bottom=["x0"], top=["y0"])
        bottoms[0] = "y0"
    layer = net.layer.add(
        name="layer", bottom=bottoms, top=["y0"] if in_place else [f"y{i}" for i in range(case.tops)]
    )
    layer.MergeFrom(parse(case.layer))
    return net


def make(case, path, in_place, engine):
    path.write_text(text_format.MessageToString(net_of(case, in_place)))
    caffe.set_random_seed(4)
    net = caffe.Net(path, case.phase, engine=engine)
    rng = np.random.RandomState(1)
    for i, values in enumerate(case.bottoms(rng)):
        net.blobs[f"x{i}"].data[...] = values
    for j, blob in enumerate(net.params.get("layer", ())):
        if j not in case.fixed_params:
            blob.data[...] = rng.standard_normal(blob.shape)
    return net


def passes(net, case):
    """Tops and gradients, after a second forward: what the first one left must not count."""
    for _ in range(2):
        caffe.set_random_seed(9)
        net.forward()
    tops = net.top_names["layer"]
    result = {name: net.blobs[name].data.copy() for name in tops}
    rng = np.random.RandomState(7)
    for i, name in enumerate(tops):
        used = case.diff_tops is None or i in case.diff_tops
        net.blobs[name].diff[...] = rng.standard_normal(net.blobs[name].shape) if used else 0
    net.backward()
    if case.gradient:
        result |= {f"{name} diff": net.blobs[name].diff.copy() for name in net.inputs}
        result |= {f"param {j}": blob.diff.copy() for j, blob in enumerate(net.params.get("layer", ()))}
    return result


@pytest.mark.filterwarnings("ignore:.*BN")  # which of two forms it has
@each_type((case.type, case) for case in ALONE)
def test_as_the_layer_by_itself(type, items, tmp_path):
    def check(case):
        places = [False, True] if layer_class(type).in_place and case.tops == 1 else [False]
        for in_place in places:
            assert_as_the_layer(case, tmp_path / "net.prototxt", in_place)

    check_each(check, items)


def assert_as_the_layer(case, path, in_place):
    try:
        fast = make(case, path, in_place, "fast")
    except CaffeCompatError:
        return  # wants other layers before it, or data
    behind = fast.layer_names.index("layer")
    if not any(isinstance(group, StepGroup) and group.last == behind for group in fast.engine.groups):
        return
    SEEN.add(case.type)
    got, want = passes(fast, case), passes(make(case, path, in_place, "strict"), case)
    for name, values in want.items():
        bound = 1e-5 * max(np.abs(values).max(initial=0), 1e-2)
        np.testing.assert_allclose(
            got[name], values, rtol=0, atol=bound, err_msg=f"{name}, in place: {in_place}"
        )


def test_types_that_are_steps_are_seen():
    if len(SEEN) < 2:
        pytest.skip("the tests before did not run")
    known = {case.type: layer_class(case.type) for case in ALONE}
    assert {name for name, kind in known.items() if kind in AS_THEY_ARE} <= SEEN
