"""Layers without a torch counterpart run on the host within a torch net: with force_backward, as the strict engine."""

import numpy as np
import pytest
from layers.cases import CASES
from layers.harness import Case
from onnx_export.test_boxes import prototxt

import caffe_compat as caffe
from caffe_compat.rng import set_random_seed

pytest.importorskip("torch")

from caffe_compat.engines.torch.converters import converted_types

HOSTED: dict[str, Case] = {}
for case in CASES:
    if case.type not in converted_types() and case.shapes:
        HOSTED[case.type] = min(HOSTED.get(case.type, case), case, key=lambda c: (c.phase, c.size()))


@pytest.mark.filterwarnings("ignore:no torch counterpart")
@pytest.mark.parametrize("case", HOSTED.values(), ids=list(HOSTED))
def test_as_the_strict_engine(case, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text("force_backward: true\n" + prototxt(case, case.shapes))
    want, got = (run(path, case, engine) for engine in ("strict", "torch"))
    assert want.keys() == got.keys()
    for name, array in want.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)


def run(path, case, engine):
    """Tops, params, and the gradients at bottoms and params."""
    set_random_seed(6)
    net = caffe.Net(path, case.phase, engine=engine)
    layer, rng = net.layer_dict["it"], np.random.RandomState(1)
    bottoms = [net.blobs[f"x{i}"] for i in range(len(case.shapes))]
    tops = [net.blobs[f"y{i}"] for i in range(case.tops)]
    for blob, values in zip(bottoms, case.bottoms(rng), strict=True):
        blob.data[...] = values
    for i, blob in enumerate(layer.blobs):
        if i not in case.fixed_params:
            blob.data[...] = rng.standard_normal(blob.shape)
    set_random_seed(7)
    net.forward()
    found = {f"y{i}": top.data.copy() for i, top in enumerate(tops)}
    if layer.has_backward:
        for i, top in enumerate([] if layer.is_loss else tops):
            used = case.diff_tops is None or i in case.diff_tops
            top.diff[...] = rng.standard_normal(top.shape) if used else 0
        net.backward()
        down = [blob for i, blob in enumerate(bottoms) if i not in layer.no_gradient]
        for i, blob in enumerate([*down, *layer.blobs]):
            found[f"gradient {i}"] = blob.diff.copy()
    return found | {f"param {i}": blob.data.copy() for i, blob in enumerate(layer.blobs)}  # maybe statistics
