"""The torch engine against the original Caffe: every recorded layer, and the OHEM net whole."""

import warnings

import pytest
from ohem_net import ohem_net
from recordings import GOLDEN, assert_close, load, net_of, replay
from test_ohem import check_hard_rois, check_sums
from test_recordings import LAYERS

torch = pytest.importorskip("torch")

import caffe_compat as caffe  # noqa: E402
from caffe_compat.engines.torch.masks import Masks  # noqa: E402

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()


@pytest.fixture(params=DEVICES)
def device(request, monkeypatch):
    """A device, with dropout's masks from Caffe's stream."""
    monkeypatch.setattr(Masks, "as_caffe", True)
    caffe.set_engine("torch", request.param)
    yield request.param
    caffe.set_engine("fast")


def tolerance(device):
    return 1e-4 if device == "cpu" else 1e-3


@pytest.mark.parametrize("path, meaning", LAYERS, ids=lambda value: getattr(value, "stem", value))
def test_layer(path, meaning, device):
    record = load(path)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no torch counterpart")
        net = net_of(str(record["prototxt"]), propagate_down=meaning)
    replay(net, record, tolerance(device))


@pytest.mark.slow
@pytest.mark.parametrize("name, phase", [("ohem_test_phase", caffe.TEST), ("ohem_train_phase", caffe.TRAIN)])
def test_ohem(name, phase, device):
    record = load(GOLDEN / "ohem" / f"{name}.npz")
    net = ohem_net(phase)
    net.layers[0].set_blobs([{key[3:]: value for key, value in record.items() if key.startswith("in:")}])
    caffe.set_random_seed(3)
    net.forward()
    net.backward()
    for key, value in record.items():
        kind, _, rest = key.partition(":")
        if kind in ("loss", "data") and rest != "rois_hard":
            assert_close(net.blobs[rest].data, value, key, tolerance(device))
        elif kind in ("asum", "head") and key != "asum:data:rois_hard":
            check_sums(net, key, value)
    check_hard_rois(net, record)
