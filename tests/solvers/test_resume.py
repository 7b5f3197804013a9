"""Going on from a snapshot gives, bit for bit, what not stopping gives; also after a SIGKILL at any moment."""

from __future__ import annotations

import multiprocessing
import random
import time
from pathlib import Path

import numpy as np
import pytest
from processes import python

from caffe_compat.errors import SolverError
from solvers.nets import COMMON, DRAWN, TYPES, assert_identical, make, train_forever, values

EVERY = "iter_size: 2 average_loss: 3 clip_gradients: 0.5 random_seed: 5 "


@pytest.mark.parametrize("form", ["BINARYPROTO", "HDF5"])
@pytest.mark.parametrize("kind", TYPES)
def test_resume_is_exact(kind, form, tmp_path):
    """Snapshots after 3 of 8 iterations of two of the five minibatches: in the middle of an epoch and a window."""
    text = f'{COMMON} {EVERY} type: "{kind}" {TYPES[kind]} snapshot_format: {form} snapshot_prefix: "%s"'
    straight = make(tmp_path, text % (tmp_path / "a"))
    np.random.seed(11)
    straight.step(3)
    np.random.standard_normal()  # leaves a second number for the next call
    state = straight.snapshot()
    straight.step(5)
    want = values(straight)

    resumed = make(tmp_path, text % (tmp_path / "b"))
    resumed.step(2)  # whatever it did before
    resumed.restore(state)
    assert resumed.iter == 3
    resumed.step(5)
    assert_identical(values(resumed), want)


def test_resume_in_a_new_process(tmp_path):
    text = f'{COMMON} {EVERY} momentum: 0.9 snapshot_prefix: "{tmp_path / "a"}"'
    straight = make(tmp_path, text)
    np.random.seed(11)
    straight.step(3)
    state = straight.snapshot()
    straight.step(5)
    program = f"""
from pathlib import Path
import numpy as np
from solvers.nets import make, values
solver = make(Path({str(tmp_path)!r}), {text!r})
solver.restore({state!r})
solver.step(5)
np.savez({str(tmp_path / "resumed.npz")!r}, **values(solver))
"""
    done = python(program, path=Path(__file__).parents[1])
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "resumed.npz") as resumed:
        assert_identical(dict(resumed), values(straight))


def test_solve_goes_on_to_the_same_end(tmp_path):
    """With tests, which have a data layer of their own, and snapshots that fall due."""
    text = (
        f'{COMMON} {EVERY} momentum: 0.9 max_iter: 7 display: 2 snapshot: 3 snapshot_prefix: "{tmp_path / "a"}" '
        "test_iter: 2 test_interval: 2"
    )
    scores: dict[str, list] = {"straight": [], "resumed": []}
    straight = make(tmp_path, text)
    straight.on_test(lambda tested: scores["straight"].append(tested.scores["loss"]))
    np.random.seed(3)
    straight.solve()
    want = values(straight)
    resumed = make(tmp_path, text)
    resumed.on_test(lambda tested: scores["resumed"].append(tested.scores["loss"]))
    resumed.solve(tmp_path / "a_iter_3.solverstate")
    assert_identical(values(resumed), want)
    assert len(scores["straight"]) == 4
    np.testing.assert_array_equal(scores["resumed"], scores["straight"][2:])
    assert sorted(p.name for p in tmp_path.glob("a_iter_*.solverstate")) == [
        f"a_iter_{i}.solverstate" for i in (3, 6, 7)
    ]


def test_stop_within_a_test_resumes_exactly(tmp_path):
    text = (
        f'{COMMON} {EVERY} momentum: 0.9 max_iter: 5 snapshot_prefix: "{tmp_path / "a"}" '
        "test_iter: 2 test_iter: 3 test_interval: 2"
    )
    straight = make(tmp_path, text)
    np.random.seed(3)
    straight.solve()
    want = values(straight)

    stopped = make(tmp_path, text)
    np.random.seed(3)
    calls = []

    def stop_in_the_second_test(index):
        calls.append(index)
        np.random.rand()
        if stopped.iter == 2:
            stopped.request_stop()

    stopped.test_nets[1].after_forward(stop_in_the_second_test)
    stopped.test_nets[1].after_forward(lambda index: None)
    stopped.solve()
    assert stopped.stopped
    assert stopped.iter == 2
    resumed = make(tmp_path, text)
    state = np.random.get_state()
    resumed.solve(tmp_path / "a_iter_2.solverstate")
    got = values(resumed)
    np.random.set_state(state)
    for key in want.keys() - {"numpy"}:  # the callback of one of them drew numbers
        np.testing.assert_array_equal(got[key], want[key], err_msg=key)


def test_what_is_no_layer_can_be_kept(tmp_path):
    class Counter:
        def __init__(self, count):
            self.count = count

        def get_state(self):
            return {"count": np.array(self.count)}

        def set_state(self, state):
            self.count = int(state["count"])

    text = f'{COMMON} snapshot_prefix: "{tmp_path / "a"}"'
    solver = make(tmp_path, text)
    solver.extra_state["counter"] = Counter(17)
    state = solver.snapshot()
    resumed = make(tmp_path, text)
    with pytest.raises(SolverError, match="has the state of 'counter'; put it into"):
        resumed.restore(state)
    resumed.extra_state["counter"] = Counter(0)
    resumed.restore(state)
    assert resumed.extra_state["counter"].count == 17


def test_weights_stored_in_another_form(tmp_path):
    """As the reference stores bbox_pred, with its targets' means and stds: not to be had back exactly from the file."""

    def scaled(arrays):
        return [arrays[0] * np.float32(0.3), arrays[1] * np.float32(0.3) + np.float32(0.1)]

    text = f'{COMMON} {EVERY} momentum: 0.9 snapshot_prefix: "{tmp_path / "a"}"'
    straight = make(tmp_path, text)
    straight.weight_exports["score"] = scaled
    straight.step(3)
    state = straight.snapshot()
    trained = [blob.data.copy() for blob in straight.net.params["score"]]
    straight.step(4)
    want = values(straight)
    resumed = make(tmp_path, text)
    resumed.net.copy_from(tmp_path / "a_iter_3.caffemodel")
    for blob, array in zip(resumed.net.params["score"], scaled(trained), strict=True):
        np.testing.assert_array_equal(blob.data, array)
    resumed.weight_exports["score"] = scaled
    resumed.restore(state)
    np.testing.assert_array_equal(resumed.net.params["score"][0].data, trained[0])
    resumed.step(4)
    want.pop("numpy")
    got = values(resumed)
    got.pop("numpy")
    assert_identical(got, want)


def last_state(folder: Path) -> Path:
    return max(folder.glob("*.solverstate"), key=iteration_of)


def iteration_of(state: Path) -> int:
    return int(state.stem.rpartition("_")[2])


@pytest.mark.slow
def test_killed_fifty_times(tmp_path, monkeypatch):
    """A process that snapshots after every iteration is killed again and again, and goes on each time from the last
    state there is: in the end all is as if it had never been."""
    text = f'{COMMON} {EVERY} momentum: 0.9 snapshot: 1 snapshot_prefix: "%s/a"'
    monkeypatch.setenv(
        "PYTHONPATH", str(Path(__file__).parents[1])
    )  # the server that forks has no other sys.path
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["solvers.preload"])
    delays, reached = random.Random(4), [0]
    for _ in range(50):
        state = last_state(tmp_path) if reached[-1] else None
        running, child = processes.Pipe(duplex=False)
        process = processes.Process(
            target=train_forever, args=(tmp_path, text % tmp_path, state, child), daemon=True
        )
        process.start()
        child.close()
        assert running.recv() == reached[-1] + 1
        time.sleep(delays.uniform(0, 0.06))
        process.kill()
        process.join()
        reached.append(iteration_of(last_state(tmp_path)) if any(tmp_path.glob("*.solverstate")) else 0)
    assert len(set(reached)) > 25
    straight = make(tmp_path / "straight", text.replace("snapshot: 1", "") % tmp_path, DRAWN, data=False)
    straight.step(reached[-1])
    want = values(straight)
    resumed = make(tmp_path, text % tmp_path, DRAWN, data=False)
    resumed.restore(last_state(tmp_path))
    got = values(resumed)
    for key in want.keys() - {"numpy", "loss"}:  # not seeded, and not stored
        np.testing.assert_array_equal(got[key], want[key], err_msg=key)
    for iteration in range(
        reached[-1] + 1, reached[-1] + 3
    ):  # what the killed left is cleared away in passing
        resumed.step(1)
        assert not list(tmp_path.glob(f".a_iter_{iteration}.*"))
