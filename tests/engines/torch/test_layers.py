"""Every layer that torch computes, on every case of the contract sweep: as the project's own layer computes it."""

import numpy as np
import pytest
from layers.cases import CASES
from layers.harness import Runner
from layers.sweep import check_each, each_type

from caffe_compat.layers.base import TRAIN
from caffe_compat.rng import set_random_seed

torch = pytest.importorskip("torch")

from caffe_compat.engines.torch import hard_roi_mining, rois  # noqa: E402
from caffe_compat.engines.torch.converters import conversion, converted_types  # noqa: E402
from caffe_compat.engines.torch.devices import DeviceConfig  # noqa: E402
from caffe_compat.engines.torch.layer import TorchLayer  # noqa: E402
from caffe_compat.engines.torch.masks import Masks  # noqa: E402

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()
OURS = [case for case in CASES if case.type in converted_types()]


def run(case, bottoms, config=None):
    """Tops, gradients at the bottoms (None where there is none) and at the params, by the layer or by torch."""
    set_random_seed(6)
    runner = Runner.of(case, bottoms)
    own = runner.layer
    if config is not None:
        found = conversion(own)
        assert found is not None
        layer = TorchLayer(own, found, config)
        if case.type == "Dropout" and case.phase == TRAIN:
            own.forward(runner.bottom, runner.top)  # draws the mask
            layer.kept = torch.from_numpy(own.keep.reshape(bottoms[0].shape)).to(config.device)
        runner.layer = ByTorch(own, layer, runner.propagates)
    for top in runner.top:
        top.defer_data(None)
    runner.layer.forward(runner.bottom, runner.top)
    tops = [top.data.copy() for top in runner.top]
    if not own.has_backward:
        return tops
    for blob in own.blobs:
        blob.diff.fill(0)
    seeds = runner.seeds(case, np.random.RandomState(2))
    diffs = runner.backward(seeds)
    return tops + diffs + [blob.diff.copy() for blob in own.blobs]


class ByTorch:
    """What Runner wants of a layer, by torch and its autograd."""

    def __init__(self, own, layer, down):
        self.is_loss, self.no_gradient, self.blobs = own.is_loss, own.no_gradient, own.blobs
        self.layer, self.down = layer, down

    def forward(self, bottom, top):
        def leaf(blob, wanted):
            tensor = torch.from_numpy(blob.data).to(self.layer.config.device, copy=True)
            return tensor.requires_grad_(wanted)

        self.bottoms = [leaf(blob, flag) for blob, flag in zip(bottom, self.down, strict=True)]
        self.params = [leaf(blob, True) for blob in self.blobs]
        self.tops = self.layer(self.params, self.bottoms, [blob.shape for blob in top])
        for blob, tensor in zip(top, self.tops, strict=True):
            blob.reshape(*tensor.shape)
            blob.data[...] = tensor.detach().cpu()
        for blob, param in zip(self.blobs, self.params, strict=True):
            blob.data[...] = param.detach().cpu()  # it may be a statistic

    def backward(self, top, propagate_down, bottom):
        device = self.layer.config.device
        tops = [(x, torch.from_numpy(blob.diff).to(device)) for x, blob in zip(self.tops, top, strict=True)]
        tops = [(x, diff.reshape(x.shape)) for x, diff in tops if x.requires_grad]
        if tops:
            torch.autograd.backward(*zip(*tops, strict=True))
        blobs = [blob for blob, flag in zip(bottom, propagate_down, strict=True) if flag]
        found = [x for x, flag in zip(self.bottoms, propagate_down, strict=True) if flag]
        for blob, x in zip([*blobs, *self.blobs], [*found, *self.params], strict=True):
            blob.diff[...] = 0 if x.grad is None else x.grad.cpu()


@pytest.mark.parametrize("device", DEVICES)
@each_type((case.type, case) for case in OURS)
def test_as_our_own(type, items, device):
    def check(case):
        assert_as_our_own(case, case.shapes, device)
        if case.other_shapes:
            assert_as_our_own(case, case.other_shapes, device)

    check_each(check, filter(has_conversion, items))


@pytest.mark.parametrize("type", ["ROIPooling", "HardRoIMining"])
def test_what_a_gpu_runs_in_place_of_our_kernels(type, monkeypatch):
    for module in (rois, hard_roi_mining):
        monkeypatch.setattr(module, "is_host", lambda device: False)
    for case in (case for case in OURS if case.type == type):
        assert_as_our_own(case, case.shapes, "cpu")


def has_conversion(case):
    """Some variants run by themselves."""
    return conversion(Runner.of(case, case.bottoms(np.random.RandomState(1))).layer) is not None


def assert_as_our_own(case, shapes, device):
    bottoms = [b.astype(np.float32) for b in case.bottoms(np.random.RandomState(1), shapes)]
    want = run(case, bottoms)
    got = run(case, bottoms, DeviceConfig(torch.device(device)))
    assert len(got) == len(want)
    for i, (a, b) in enumerate(zip(got, want, strict=True)):
        assert (a is None) == (b is None), f"array {i}"
        if a is not None:
            assert a.shape == b.shape
            bound = (1e-5 if device == "cpu" else 1e-3) * max(np.abs(b).max(initial=0), 1e-3)
            np.testing.assert_allclose(a, b, rtol=0, atol=bound, err_msg=f"array {i}")


@pytest.mark.parametrize("type", converted_types())
def test_tops_are_never_views_where_a_conversion_says_so(type):
    for case in (case for case in OURS if case.type == type):
        runner = Runner.of(case, case.bottoms(np.random.RandomState(1)))
        found = conversion(runner.layer)
        if found is None or not found.own_memory:
            continue
        layer = TorchLayer(runner.layer, found, DeviceConfig(torch.device("cpu")))
        params, bottoms = (
            [torch.from_numpy(blob.data) for blob in blobs] for blobs in (runner.layer.blobs, runner.bottom)
        )
        tops = layer(params, bottoms, [top.shape for top in runner.top])
        taken = {tensor.untyped_storage().data_ptr() for tensor in bottoms}
        assert tops and not any(top.untyped_storage().data_ptr() in taken for top in tops), case.id


def test_bf16_takes_products_in_bf16_and_leaves_the_rest():
    """What is a product loses bits that float32 keeps; nothing else does."""
    bf16 = DeviceConfig(torch.device("cpu"), "bf16")
    lossy = set()
    for case in OURS:
        bottoms = [b.astype(np.float32) for b in case.bottoms(np.random.RandomState(1))]
        runner = Runner.of(case, bottoms)
        found = conversion(runner.layer)
        if found is None or (case.type == "Dropout" and case.phase == TRAIN):
            continue
        tops = []
        for config in (DeviceConfig(torch.device("cpu")), bf16):
            params = [torch.from_numpy(blob.data.copy()) for blob in runner.layer.blobs]
            layer = TorchLayer(runner.layer, found, config)
            tops.append(
                layer(params, [torch.from_numpy(b) for b in bottoms], [top.shape for top in runner.top])
            )
        if not all(torch.equal(a, b) for a, b in zip(*tops, strict=True)):
            lossy.add(case.type)
    convolutions = {"Convolution", "Convolution3D", "ConvolutionDepthwise", "DepthwiseConvolution"}
    assert lossy == {*convolutions, "Deconvolution", "Deconvolution3D", "InnerProduct"}


@pytest.mark.parametrize(
    ("keep", "least", "most"), [(1.0, 1, 1), (1 - 1e-6, 1, 1), (0.75, 0.7, 0.8), (1e-6, 0, 0)]
)
def test_masks_keep_as_many_as_they_are_to(keep, least, most):
    """With all, or nearly all, the number that draws are held against is none of their kind."""
    mask = Masks().draw(torch.zeros(50, 81), keep)
    assert mask.dtype == torch.bool
    assert least <= mask.float().mean() <= most
