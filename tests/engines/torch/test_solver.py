"""Training by torch: the original Caffe's steps, and snapshots that either engine goes on from."""

import logging
import warnings

import numpy as np
import pytest
from recordings import assert_close, load
from solvers.nets import COMMON, NET, TYPES, make, values
from solvers.test_recordings import RECORDS, params_at, solver_of

torch = pytest.importorskip("torch")

import caffe_compat as caffe  # noqa: E402
from caffe_compat.engines.torch import memory  # noqa: E402
from caffe_compat.engines.torch.engine import TorchEngine  # noqa: E402
from caffe_compat.engines.torch.masks import Masks  # noqa: E402

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()
STILL = NET.replace('type: "Dropout"', 'type: "Power"').replace("dropout_param { dropout_ratio: 0.4 }", "")


@pytest.fixture(autouse=True)
def engine_as_it_was():
    yield
    caffe.set_engine("fast")


@pytest.fixture(params=DEVICES)
def device(request):
    caffe.set_engine("torch", request.param)
    return request.param


@pytest.mark.parametrize("path", RECORDS, ids=[path.stem for path in RECORDS])
def test_eight_steps(path, tmp_path, device, monkeypatch):
    monkeypatch.setattr(Masks, "as_caffe", True)
    record = load(path)
    warnings.filterwarnings("ignore", "no torch counterpart")  # where Caffe's gradient is not the true one
    solver = solver_of(tmp_path, str(record["net"]), str(record["solver"]))
    assert isinstance(solver.net.engine, TorchEngine)
    for name in "xt":
        solver.net.blobs[name].data[...] = record[name]
    for layer, index, value in params_at(record, 0):
        solver.net.params[layer][index].data[...] = value
    tolerance = 1e-3 if device == "cuda" else 1e-5
    for step in range(1, 9):
        solver.step(1)
        assert_close(solver.net.blobs["loss"].data, record[f"loss@{step}"], f"loss@{step}", tolerance)
        for layer, index, value in params_at(record, step):
            got = solver.net.params[layer][index].data
            assert_close(got, value, f"{layer}:{index}@{step}", tolerance)


def trained(folder, text, engine, steps, net=STILL, state=None):
    """A solver after so many steps with an engine; from a state, if given."""
    caffe.set_engine(engine)
    caffe.set_random_seed(4)
    np.random.seed(4)
    solver = make(folder, text, net)
    if state:
        solver.restore(state)
    solver.step(steps)
    return solver


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("first, second", [("torch", "strict"), ("strict", "torch")])
def test_the_other_engine_goes_on_from_a_snapshot(kind, first, second, tmp_path):
    text = f'{COMMON} type: "{kind}" {TYPES[kind]} iter_size: 2 average_loss: 3 clip_gradients: 2'
    whole = values(trained(tmp_path / "whole", text, "strict", 5))
    state = trained(tmp_path / "half", text, first, 3).snapshot()
    got = values(trained(tmp_path / "half", text, second, 2, state=state))
    for key, value in whole.items():
        assert_close(np.asarray(got[key]), np.asarray(value), key, 1e-4)


def test_a_resumed_run_has_the_masks_of_the_uninterrupted_one(tmp_path):
    whole = values(trained(tmp_path / "whole", COMMON, "torch", 5, NET))
    state = trained(tmp_path / "half", COMMON, "torch", 3, NET).snapshot()
    for key, value in values(trained(tmp_path / "half", COMMON, "torch", 2, NET, state)).items():
        np.testing.assert_array_equal(value, whole[key], err_msg=key)


def test_another_engine_says_that_dropout_goes_on_otherwise(tmp_path, caplog):
    state = trained(tmp_path / "half", COMMON, "torch", 1, NET).snapshot()
    logging.getLogger("caffe_compat").propagate = True
    with caplog.at_level(logging.WARNING):
        trained(tmp_path / "half", COMMON, "strict", 1, NET, state)
    assert "is of the torch engine: here dropout goes on with other random numbers" in caplog.text


def test_the_seed_gives_the_masks(tmp_path):
    first = values(trained(tmp_path / "a", COMMON, "torch", 2, NET))
    again = values(trained(tmp_path / "b", COMMON, "torch", 2, NET))
    np.testing.assert_array_equal(first["fc:0"], again["fc:0"])


def test_nothing_comes_to_the_host_that_nobody_asks_for(tmp_path, device, monkeypatch):
    caffe.set_random_seed(4)
    solver = make(tmp_path / "run", COMMON)
    solver.step(1)
    copied = []
    fetch = memory.PendingTensor.__call__
    monkeypatch.setattr(
        memory.PendingTensor,
        "__call__",
        lambda self, array: (copied.append(self.tensor.numel()), fetch(self, array))[1],
    )
    solver.step(2)
    assert set(copied) == {1}, copied  # the loss


def test_what_the_host_writes_counts(tmp_path, device):
    caffe.set_random_seed(4)
    solver = make(tmp_path / "run", COMMON, STILL)
    solver.step(1)
    weight, bias = solver.net.params["score"]
    held = weight.data

    def scores_are_the_bias():
        solver.net.forward()
        scores = solver.net.blobs["score"].data
        np.testing.assert_array_equal(scores, np.broadcast_to(bias.data, scores.shape))

    held[...] = 0
    scores_are_the_bias()
    solver.step(1)
    assert np.abs(held).max() > 0  # an array that is held is kept up to date
    np.testing.assert_array_equal(held, weight.data)
    del held
    weight.data[...] = 0
    scores_are_the_bias()


def test_test_nets_use_the_params_of_the_train_net(tmp_path):
    scores = {}
    for engine in ("strict", "torch"):
        text = f"{COMMON} test_iter: 2 test_interval: 2"
        caffe.set_engine(engine)
        caffe.set_random_seed(4)
        np.random.seed(4)
        solver = make(tmp_path / engine, text, STILL)
        found = scores[engine] = []
        solver.on_test(lambda tested, found=found: found.append(float(tested.scores["loss"][0])))
        solver.step(5)
        (weights, shared) = (net.params["fc"][0] for net in (solver.net, solver.test_nets[0]))
        np.testing.assert_array_equal(weights.data, shared.data)
    assert len(scores["torch"]) == 3 and len(set(scores["torch"])) == 3
    np.testing.assert_allclose(scores["torch"], scores["strict"], rtol=1e-4)
    train, test = (net.engine.graph.params.parameters for net in (solver.net, solver.test_nets[0]))
    solver.step(2)
    assert [x.data_ptr() for x in train] == [x.data_ptr() for x in test]
