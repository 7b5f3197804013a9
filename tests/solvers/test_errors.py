"""What is wrong with a solver or a state is said in one clear message, with file and line."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from google.protobuf import text_format

import caffe_compat as caffe
from caffe_compat.errors import CaffeCompatError, SolverError, WeightsError
from caffe_compat.prototxt.caffe_pb2 import SolverParameter
from caffe_compat.solvers import create_solver, sidecar
from solvers.nets import COMMON, DRAWN, NET, TYPES, make

FIXED = 'base_lr: 0.1 lr_policy: "fixed"'


def written(folder, text):
    path = folder / "solver.prototxt"
    path.write_text(text)
    (folder / "net.prototxt").write_text(DRAWN)
    return path


@pytest.mark.parametrize(
    "text, line, message",
    [
        (FIXED, None, "names no net to train; add one of net, net_param, train_net, train_net_param"),
        (
            f'{FIXED}\nnet: "net.prototxt"\ntrain_net: "b"',
            3,
            "names more than one net to train: net, train_net",
        ),
        (f'{FIXED}\nnet: "gone.prototxt"', 2, "cannot find net 'gone.prototxt': looked in "),
        (
            f'{FIXED}\nnet: "/no/gone.prototxt"',
            2,
            "cannot find net '/no/gone.prototxt': there is no such file",
        ),
        (
            f'{FIXED}\ntrain_net: "net.prototxt"\ntest_net: "net.prototxt"',
            None,
            "1 test nets and 0 test_iter",
        ),
        (f'{FIXED}\nnet: "net.prototxt"\ntest_iter: 3', 3, "no test_interval"),
        (
            f'{FIXED} net: "net.prototxt" test_interval: 1 test_iter: 3\ntest_state {{ }} test_state {{ }}',
            2,
            "1 test nets and 2 test_state",
        ),
        (
            f'{FIXED} net: "net.prototxt"\n\ntype: "Adem"',
            3,
            "unknown solver type 'Adem'; did you mean 'Adam'?",
        ),
        (f'{FIXED} net: "net.prototxt" type: "Bee"', 1, "unknown solver type 'Bee'; known are SGD, Nesterov"),
        ('net: "net.prototxt" lr_policy: "stp"', None, "unknown lr_policy 'stp'; did you mean 'step'?"),
        (f'{FIXED} net: "net.prototxt"\naverage_loss: 0', 2, "average_loss is 0; it must be at least 1"),
        (f'{FIXED} net: "net.prototxt"\niter_size: -2', 2, "iter_size is -2; it must be at least 1"),
        (f'{FIXED} net: "net.prototxt"\nregularization_type: "L3"', 2, "'L3'; known are L1 and L2"),
        (
            f'{FIXED} net: "net.prototxt" type: "AdaGrad"\nmomentum: 0.9',
            2,
            "momentum is 0.9, which AdaGrad cannot use",
        ),
        (
            f'{FIXED} net: "net.prototxt" type: "RMSProp"\nmomentum: 0.5',
            2,
            "momentum is 0.5, which RMSProp cannot use",
        ),
        (
            f'{FIXED} net: "net.prototxt" type: "RMSProp"\nrms_decay: 1',
            2,
            "rms_decay is 1; it must be at least 0",
        ),
        (f'{FIXED} net: "net.prototxt" type: "Adam"\nmomentum2: 1', 2, "momentum2 is 1; for Adam"),
        (
            f'{FIXED} net: "net.prototxt" snapshot: 5\nsnapshot_prefix: "no/a"',
            2,
            "cannot write snapshots into",
        ),
        (
            f'{FIXED} net: "net.prototxt"\nweights: "gone.caffemodel"',
            2,
            "cannot find weights 'gone.caffemodel'",
        ),
    ],
)
def test_bad_solvers(text, line, message, tmp_path):
    path = written(tmp_path, text)
    with pytest.raises(SolverError) as caught:
        caffe.get_solver(path)
    assert message in caught.value.message
    assert caught.value.file == str(path)
    if line:
        assert caught.value.line == line


def test_weights_that_are_to_stay_0(tmp_path):
    path = written(tmp_path, f'{FIXED} net: "net.prototxt"')
    net = tmp_path / "net.prototxt"
    net.write_text(
        net.read_text().replace(
            'type: "InnerProduct"', 'type: "InnerProduct" connectivity_mode: DISCONNECTED_ELTWISE', 1
        )
    )
    caffe.Net(str(net), caffe.TEST).forward()
    with pytest.raises(
        SolverError, match="has connectivity_mode, by which weights that are loaded as 0 stay 0"
    ):
        caffe.SGDSolver(path)


def test_max_iter_missing(tmp_path):
    solver = caffe.SGDSolver(written(tmp_path, f'{FIXED} net: "net.prototxt"'))
    with pytest.raises(SolverError, match="there is no max_iter"):
        solver.solve()


def test_snapshots_that_cannot_be_written_are_told_before_training(tmp_path, monkeypatch):
    text = f'{FIXED} net: "net.prototxt" max_iter: 3 snapshot_prefix: "no/a"'
    with pytest.raises(SolverError, match="cannot write snapshots into"):
        caffe.SGDSolver(written(tmp_path, text)).solve()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(WeightsError, match="this needs h5py"):
        caffe.SGDSolver(written(tmp_path, f'{FIXED} net: "net.prototxt" snapshot: 1 snapshot_format: HDF5'))


def test_a_type_that_is_not_heeded_is_told(tmp_path, caplog):
    solver = caffe.NesterovSolver(written(tmp_path, f'{FIXED} net: "net.prototxt" type: "SGD"'))
    assert solver.type == "Nesterov"
    assert "The solver's type is SGD, this is a solver of type Nesterov" in caplog.text


def test_an_error_in_the_net_names_the_nets_file(tmp_path):
    path = written(tmp_path, f'{FIXED} net: "net.prototxt"')
    (tmp_path / "net.prototxt").write_text(DRAWN.replace("InnerProduct", "InnerProdukt"))
    with pytest.raises(CaffeCompatError) as caught:
        caffe.get_solver(path)
    assert caught.value.file == str(tmp_path / "net.prototxt")


def test_nets_are_looked_for_up_to_the_root(tmp_path, monkeypatch):
    """The reference's solvers name their nets from the top of its folder."""
    deep = tmp_path / "models" / "small"
    deep.mkdir(parents=True)
    path = written(deep, f'{FIXED} train_net: "models/small/net.prototxt"')
    assert caffe.get_solver(path).net.source.name == str(deep / "net.prototxt")
    monkeypatch.chdir(deep)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "solver.prototxt").write_text(f'{FIXED} train_net: "net.prototxt"')
    assert caffe.get_solver("../../elsewhere/solver.prototxt").net.source.name == "net.prototxt"


def test_nets_within_the_solver():
    """All ways to name nets but files, with stages; a solver that is no file."""
    layers = text_format.Parse("net_param { " + DRAWN + "}", SolverParameter()).net_param
    param = text_format.Parse(
        f'{FIXED} test_iter: 1 test_iter: 2 test_interval: 3 test_state {{ stage: "a" }} test_state {{ stage: "b" }}',
        SolverParameter(),
    )
    param.train_net_param.CopyFrom(layers)
    for _ in range(2):
        param.test_net_param.add().CopyFrom(layers)
        silence = param.test_net_param[-1].layer.add(name="extra", type="Silence", bottom=["out"])
        silence.include.add(stage=["b"])
    param.train_state.level = 2
    solver = create_solver(param)
    assert (solver.net.phase, [net.phase for net in solver.test_nets]) == (caffe.TRAIN, [caffe.TEST] * 2)
    assert ["extra" in net.layer_dict for net in solver.test_nets] == [False, True]
    assert solver.net.param.state.level == 2
    assert solver.test_nets[1].params["fc"][0].data is not None
    solver.step(1)
    for net in solver.test_nets:
        np.testing.assert_array_equal(net.params["fc"][0].data, solver.net.params["fc"][0].data)


@pytest.fixture
def snapshot(tmp_path):
    """A solver, and the state that it wrote."""
    solver = make(tmp_path, f'{COMMON} momentum: 0.9 snapshot_prefix: "{tmp_path / "a"}"')
    solver.step(1)
    return solver, tmp_path / "a_iter_1.solverstate", solver.snapshot()


def test_state_of_another_type(snapshot, tmp_path):
    _, state, _ = snapshot
    with pytest.raises(
        SolverError, match="6 history blobs, a solver of type Adam for this net has 12; is it the state of"
    ):
        make(tmp_path, f'{COMMON} type: "Adam" momentum: 0.9').restore(state)
    with pytest.raises(SolverError, match="of a solver of type SGD, the solver is of type Nesterov"):
        make(tmp_path, f'{COMMON} type: "Nesterov" {TYPES["Nesterov"]}').restore(state)


def test_state_of_another_net(snapshot, tmp_path):
    _, state, _ = snapshot
    other = make(tmp_path, COMMON, NET.replace("num_output: 5", "num_output: 6"))
    with pytest.raises(
        SolverError, match=r"history 2 has the shape \(5, 24\), the net's param has \(6, 24\)"
    ):
        other.restore(state)
    renamed = make(tmp_path, COMMON, NET.replace('name: "score"', 'name: "other"'))
    with pytest.raises(SolverError, match=r"the weights have nothing for other; are they of another net?"):
        renamed.restore(state)


def test_the_weights_are_gone(snapshot):
    solver, state, _ = snapshot
    os.unlink(state.with_suffix(".caffemodel"))
    with pytest.raises(
        SolverError, match=r"the state's weights '.*' are not beside it: there is no "
    ) as caught:
        solver.restore(state)
    assert caught.value.file == str(state)


def test_a_sidecar_of_other_weights(snapshot, tmp_path):
    solver, state, _ = snapshot
    extra = tmp_path / "a_iter_1.extra.npz"
    kept = extra.read_bytes()
    solver.step(1)
    os.replace(solver.snapshot().replace(".solverstate", ".extra.npz"), extra)
    with pytest.raises(SolverError, match="belongs to other weights or another state") as caught:
        solver.restore(state)
    assert caught.value.file == str(extra)
    extra.write_bytes(kept)
    solver.restore(state)
    assert solver.iter == 1


@pytest.mark.parametrize("name", ["a_iter_1.solverstate", "a_iter_1.caffemodel", "a_iter_1.extra.npz"])
def test_damaged_files(name, snapshot, tmp_path):
    """Cut short anywhere, or with any byte changed: an error that names the file, or (a number) nothing seen."""
    solver, state, _ = snapshot
    whole = (tmp_path / name).read_bytes()
    rng = np.random.RandomState(0)
    for cut in [0, 1, 7, *rng.randint(0, len(whole), 12)]:
        (tmp_path / name).write_bytes(whole[:cut])
        with pytest.raises((SolverError, WeightsError)) as caught:
            solver.restore(state)
        assert caught.value.file == str(tmp_path / name) or "extra.npz" in caught.value.file
    for place in rng.randint(0, len(whole), 30):
        (tmp_path / name).write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            solver.restore(state)
        except CaffeCompatError as error:
            assert error.file


def test_no_state(tmp_path):
    solver = make(tmp_path, COMMON)
    with pytest.raises(SolverError, match="cannot read the solver's state: No such file"):
        solver.restore(tmp_path / "gone.solverstate")
    (tmp_path / "text.solverstate").write_text("iter: 3\n")
    with pytest.raises(SolverError, match=r"this is no \.solverstate"):
        solver.restore(tmp_path / "text.solverstate")


def test_a_sidecar_of_a_later_version(tmp_path):
    np.savez(tmp_path / "a.npz", version=2)
    with pytest.raises(SolverError, match="found version 2 of this file, can read version 1"):
        sidecar.read(str(tmp_path / "a.npz"))
