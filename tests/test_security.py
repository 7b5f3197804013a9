"""docs/security.md, promise by promise: what files can make this package do, and what they cannot."""

from __future__ import annotations

import pickle

import h5py
import numpy as np
import pytest
from commands import run
from processes import TINY, run_process

import caffe_compat as caffe
from caffe_compat.solvers import state

MAIN = "caffe_compat.cli.main"
MINE = """\
import os
import caffe

open(os.path.join(os.path.dirname(__file__), "ran"), "w").close()


class Mine(caffe.Layer):
    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = top[0].diff
"""
LAYER = 'layer { name: "own" type: "Python" bottom: "ip" top: "own" python_param { module: "mine" layer: "Mine" } }\n'
NET = TINY.replace('layer { name: "loss"', LAYER + 'layer { name: "loss"').replace(
    'bottom: "ip" bottom: "t"', 'bottom: "own" bottom: "t"'
)
REFUSED = (
    "layer 'own' (Python): 'mine.Mine' is not built in, and to import it would be to run it; where you trust it, "
    "allow that by --python-layers, or without --no-python-layers (python_layers=True)"
)


@pytest.fixture
def folder(tmp_path):
    """A net with a layer of its user's, whose module says by a file that it was run."""
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "tiny.prototxt").write_text(TINY)
    (tmp_path / "solver.prototxt").write_text(
        'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 1'
    )
    caffe.Net(tmp_path / "tiny.prototxt", caffe.TEST).save(tmp_path / "w.caffemodel")
    return tmp_path


def ran(folder):
    return (folder / "ran").exists()


LOOKING = {
    "explain": ["explain", "net.prototxt"],
    "explain the other phase": ["explain", "net.prototxt", "--phase", "test", "--json"],
    "draw": ["draw", "net.prototxt", "-o", "net.svg"],
    "draw a page": ["draw", "net.prototxt", "-o", "net.html"],
}
TAKING_NUMBERS = {
    "export": ["export", "net.prototxt", "--weights", "w.caffemodel", "-o", "net.onnx"],
    "compress": ["compress", "net.prototxt", "--weights", "w.caffemodel", "-o", "thin"],
}


@pytest.mark.parametrize("command", LOOKING.values(), ids=LOOKING)
def test_looking_at_a_net_imports_nothing_that_it_names(command, folder):
    done = run(MAIN, *command, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert not ran(folder)


@pytest.mark.parametrize("command", TAKING_NUMBERS.values(), ids=TAKING_NUMBERS)
def test_taking_numbers_from_a_net_imports_nothing_that_it_names(command, folder):
    done = run(MAIN, *command, cwd=folder)
    assert (done.returncode, done.stderr) == (5, f"net.prototxt:7: error: {REFUSED}\n")
    assert not ran(folder)


def test_what_needs_no_shapes_looks_at_any_net(folder):
    """upgrade and pycaffe's draw take the text alone."""
    done = run(MAIN, "upgrade", "net.prototxt", "new.prototxt", cwd=folder)
    assert done.returncode == 0 and 'module: "mine"' in (folder / "new.prototxt").read_text()
    assert not ran(folder)


def test_looking_imports_it_where_that_is_asked_for(folder):
    done = run(MAIN, "explain", "net.prototxt", "--python-layers", cwd=folder)
    assert done.returncode == 0 and "own" in done.stdout
    assert done.stderr == f"imported mine, which a Python layer names: {folder / 'mine.py'}\n"
    assert ran(folder)


RUNNING = {
    "run": ["run", "net.prototxt"],
    "run a solver": ["run", "solver.prototxt"],
    "train": ["train", "--solver", "solver.prototxt"],
    "test": ["test", "--model", "net.prototxt", "--weights", "w.caffemodel", "--iterations", "1"],
    "time": ["time", "--model", "net.prototxt", "--iterations", "1"],
    "diff": ["diff", "net.prototxt", "--against", "net.prototxt"],
    "classify": ["classify", "net.prototxt", "--weights", "w.caffemodel", "photo.jpg"],
    "detect": ["detect", "net.prototxt", "--weights", "w.caffemodel", "photo.jpg"],
    "extract": ["extract", "w.caffemodel", "net.prototxt", "ip", "ip.npz", "1", "npz"],
    "warm": ["warm", "net.prototxt"],
}


@pytest.mark.parametrize("command", RUNNING.values(), ids=RUNNING)
def test_no_python_layers(command, folder):
    (folder / "photo.jpg").write_bytes(b"")
    done = run(MAIN, *command, "--no-python-layers", cwd=folder)
    lines = [line for line in done.stderr.splitlines() if "error" in line]
    assert (done.returncode, lines) == (5, [f"net.prototxt:7: error: {REFUSED}"])
    assert not ran(folder)


def test_a_run_says_once_which_modules_it_imported(folder):
    """As a process: nothing of it was imported before. A solver's two nets have the layer."""
    solver = (folder / "solver.prototxt").read_text()
    (folder / "solver.prototxt").write_text(
        f'{solver} test_net: "net.prototxt" test_iter: 1 test_interval: 1'
    )
    done = run_process("caffe_compat.cli.run_prototxt", "solver.prototxt", "--json", cwd=folder)
    told = [line for line in done.stderr.splitlines() if "mine" in line and "imported" in line]
    assert told == [f"imported mine, which a Python layer names: {folder / 'mine.py'}"]
    assert ran(folder)


def test_quiet_says_no_imports(folder):
    assert run(MAIN, "run", "net.prototxt", "--quiet", cwd=folder).stderr == ""


def test_net_imports_nothing_without_python_layers(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(caffe.LayerError) as caught:
        caffe.Net(folder / "net.prototxt", caffe.TRAIN, python_layers=False)
    assert caught.value.message == REFUSED and caught.value.line == 7
    with pytest.raises(caffe.LayerError, match="is not built in"):
        caffe.get_solver(folder / "solver.prototxt", python_layers=False)
    assert not ran(folder)


def test_a_built_in_layer_is_that_whatever_could_be_imported(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    (folder / "spatial_dropout.py").write_text(MINE.replace("Mine", "SpatialDropoutLayer"))
    names = 'module: "spatial_dropout" layer: "SpatialDropoutLayer" param_str: "{p: 0.5, phase: TRAIN}"'
    (folder / "built_in.prototxt").write_text(
        TINY + f'layer {{ name: "own" type: "Python" bottom: "conv" top: "own" python_param {{ {names} }} }}'
    )
    net = caffe.Net(folder / "built_in.prototxt", caffe.TRAIN, python_layers=False)
    assert type(net.layer_dict["own"]).__module__.startswith("caffe_compat.layers.")
    assert not ran(folder)


def test_a_replay_runs_no_module_that_its_file_names(folder):
    (folder / "mine.py").write_text(MINE.replace("= bottom[0].data", "= float('inf')"))
    done = run(MAIN, "run", "net.prototxt", "--check-finite", "--quiet", cwd=folder)
    assert done.returncode == 9
    (folder / "ran").unlink()
    done = run(MAIN, "replay", "replay_own.npz", cwd=folder)
    assert done.returncode == 5 and REFUSED in done.stderr and done.stderr.count("\n") == 1
    assert not ran(folder)
    assert run(MAIN, "replay", "replay_own.npz", "--python-layers", cwd=folder).returncode == 0
    assert ran(folder)


# ---- archives, and files that name others -----------------------------------------------------------------------


class Evil:
    """What pickle would run."""

    def __reduce__(self):
        return open, ("ran", "w")


def test_no_npz_leads_to_code(folder, monkeypatch):
    """Inputs, proposals, recordings, replays and the side file of a snapshot, each with a pickle in it."""
    monkeypatch.chdir(folder)
    assert run(MAIN, "run", "tiny_solver.prototxt", "--quiet", cwd=_solver(folder)).returncode == 0
    arrays = {"x": np.array([Evil()], object), "t": np.zeros(2), "prototxt": np.array(TINY)}
    np.savez(folder / "evil.npz", **arrays)
    np.savez(folder / "tiny_iter_1.extra.npz", version=np.array([Evil()], object))
    for command in (
        ["run", "tiny.prototxt", "--inputs", "evil.npz"],
        ["diff", "tiny.prototxt", "--against", "evil.npz"],
        ["replay", "evil.npz"],
        ["run", "tiny_solver.prototxt", "--resume", "tiny_iter_1.solverstate"],
    ):
        done = run(MAIN, *command, "--quiet", cwd=folder)
        assert done.returncode in (7, 8) and done.stderr.count("\n") == 1, (command, done.stderr)
    assert not ran(folder)
    pickle.loads(pickle.dumps(Evil())).close()
    assert ran(folder)  # it would have been seen


def _solver(folder):
    (folder / "tiny_solver.prototxt").write_text(
        'net: "tiny.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 1 snapshot: 1 snapshot_prefix: "tiny"'
    )
    return folder


def test_no_yaml_leads_to_code(folder):
    text = "EXP_DIR: !!python/object/apply:builtins.open [ran, w]\n"
    (folder / "evil.yml").write_text(text)
    done = run(MAIN, "run", "tiny.prototxt", "--cfg", "evil.yml", "--quiet", cwd=folder)
    assert done.returncode == 7 and done.stderr.count("\n") == 1
    names = 'module: "spatial_dropout" layer: "SpatialDropoutLayer" param_str: "!!python/name:os.system"'
    (folder / "net.prototxt").write_text(
        TINY + f'layer {{ name: "own" type: "Python" bottom: "conv" top: "own" python_param {{ {names} }} }}'
    )
    done = run(MAIN, "run", "net.prototxt", "--no-python-layers", "--quiet", cwd=folder)
    assert done.returncode == 5 and done.stderr.count("\n") == 1
    assert not ran(folder)


@pytest.mark.parametrize("way", ["link", "storage", "virtual"])
@pytest.mark.parametrize("kind", ["weights", "state", "data"])
def test_an_hdf5_file_reads_no_other(kind, way, folder):
    """The name of a file that its user has, and its maker has not, would bring its content into a net."""
    secret = np.arange(8, dtype=np.float32)
    secret.tofile(folder / "secret.bin")
    with h5py.File(folder / "secret.h5", "w") as file:
        file["x"] = secret.reshape(2, 4)
    group = {"weights": "data/ip", "state": "history", "data": "."}[kind]
    with h5py.File(folder / "evil.h5", "w") as file:
        inside = file.require_group(group)
        if way == "link":
            inside["0"] = h5py.ExternalLink(str(folder / "secret.h5"), "x")
        elif way == "storage":
            inside.create_dataset("0", (2, 4), "<f4", external=[(str(folder / "secret.bin"), 0, 32)])
        else:
            layout = h5py.VirtualLayout((2, 4), "<f4")
            layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "x", (2, 4))
            inside.create_virtual_dataset("0", layout)
        if kind == "state":
            file["iter"] = file["current_step"] = [0]
    (folder / "list.txt").write_text(f"{folder}/evil.h5\n")
    (folder / "data.prototxt").write_text(
        'layer { name: "d" type: "HDF5Data" top: "0" hdf5_data_param { source: "list.txt" batch_size: 1 } }'
    )
    command = {
        "weights": ["run", "tiny.prototxt", "--weights", "evil.h5"],
        "state": ["run", "tiny_solver.prototxt", "--resume", "evil.h5"],
        "data": ["run", "data.prototxt"],
    }[kind]
    done = run(MAIN, *command, "--quiet", cwd=_solver(folder))
    assert (
        done.returncode in (5, 6, 8)
        and "and other files are not read" in done.stderr
        and done.stderr.count("\n") == 1
    )


def test_a_state_takes_the_weights_beside_it_alone(folder):
    """A .solverstate says where its weights are; those of a stranger may not pick a file of this machine."""
    assert run(MAIN, "run", "tiny_solver.prototxt", "--quiet", cwd=_solver(folder)).returncode == 0
    found = state.read(str(folder / "tiny_iter_1.solverstate"))
    (folder / "elsewhere").mkdir()
    found.learned_net = str(folder / "w.caffemodel")
    state.write_binary(found, str(folder / "elsewhere" / "evil.solverstate"))
    done = run(MAIN, "run", "tiny_solver.prototxt", "--resume", "elsewhere/evil.solverstate", cwd=folder)
    assert done.returncode == 8 and "not beside it: there is no 'elsewhere/w.caffemodel'" in done.stderr


def test_looking_writes_nothing_that_a_net_names(folder):
    """The layers that write files, or make folders, do so when they run."""
    (folder / "writes.prototxt").write_text(
        TINY
        + 'layer { name: "h" type: "HDF5Output" bottom: "ip" bottom: "t" hdf5_output_param { file_name: "o.h5" } }'
        'layer { name: "m" type: "MatWrite" bottom: "ip" mat_write_param { prefix: "m_" } }'
    )
    before = sorted(folder.iterdir())
    assert run(MAIN, "explain", "writes.prototxt", "--phase", "test", cwd=folder).returncode == 0
    assert sorted(folder.iterdir()) == before


def test_a_page_shows_names_and_runs_none(folder):
    name = "</script><script>alert(1)</script>"
    (folder / "net.prototxt").write_text(TINY.replace('"tiny"', f'"{name}"').replace('"conv"', f'"{name}"'))
    assert run(MAIN, "draw", "net.prototxt", "-o", "net.html", cwd=folder).returncode == 0
    page = (folder / "net.html").read_text()
    assert "alert(1)" in page and "<script>alert" not in page
