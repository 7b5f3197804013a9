"""The background process serves what the source itself would, and goes when its parent does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.config import Config, cfg_from_list
from caffe_compat.fast_rcnn.prefetch import Prefetcher
from caffe_compat.fast_rcnn.source import minibatches
from fast_rcnn.drawn import picture
from fast_rcnn.golden import recorded, recorded_roidb

# small images, so that there is time for many
SMALL = ["TRAIN.SCALES", "(60,75)", "TRAIN.MAX_SIZE", "100"]
PLAIN = cfg_from_list(SMALL)
AHEAD = cfg_from_list(["TRAIN.USE_PREFETCH", "True"], PLAIN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for seed, image_id in enumerate(recorded("roidb")["image_id"][:5]):
        cv2.imwrite(str(folder / f"{image_id}.jpg"), picture(seed, 375, 500))
    return folder


def started(cfg: Config, folder):
    np.random.seed(3)
    return minibatches(recorded_roidb(cfg, folder), 21)


def copied(blobs):
    """A minibatch is only there until the next one is asked for."""
    return {name: array.copy() for name, array in blobs.items()}


def assert_same(got, want) -> None:
    assert got.keys() == want.keys()
    for name in want:
        np.testing.assert_array_equal(got[name], want[name])


def random_state() -> bytes:
    _, words, position, *rest = np.random.get_state()
    return words.tobytes() + repr((position, rest)).encode()


def gone_within(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return True  # dead, and nobody there to ask for its exit code
        time.sleep(0.05)
    return False


def test_forty_minibatches_and_the_random_numbers_are_those_of_the_source(folder):
    source = started(PLAIN, folder)
    want = []
    for _ in range(40):
        blobs = source.next()
        want.append((blobs, source.get_state(), random_state()))
    ahead = started(AHEAD, folder)
    assert isinstance(ahead, Prefetcher)
    for blobs, state, random in want:
        assert_same(ahead.next(), blobs)
        assert_same(ahead.get_state(), state)
        assert random_state() == random
    ahead.close()


def test_somebody_elses_draws_and_a_state_that_is_set_count(folder):
    def run(source) -> list:
        served = [copied(source.next()) for _ in range(2)]
        np.random.uniform(size=3)
        served += [copied(source.next()) for _ in range(2)]
        state, random = source.get_state(), np.random.get_state()
        served += [copied(source.next()) for _ in range(6)]
        source.set_state(state)
        np.random.set_state(random)
        served += [copied(source.next()) for _ in range(6)]
        np.random.seed(8)
        return [*served, copied(source.next())]

    want, ahead = run(started(PLAIN, folder)), started(AHEAD, folder)
    for got, blobs in zip(run(ahead), want, strict=True):
        assert_same(got, blobs)
    for first, second in zip(want[4:10], want[10:16], strict=True):
        assert_same(first, second)
    ahead.close()


def test_an_error_is_raised_for_its_minibatch_and_the_next_one_follows(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    bad = tmp_path / "000542.jpg"
    bad.write_bytes(b"no photo")

    def run(source) -> list[str]:
        log = []
        for _ in range(8):
            try:
                log.append(str(source.next()["rois"].sum()))
            except DataError as error:
                assert (error.file, "not a photo" in error.message) == (str(bad), True)
                log.append("error")
        return log

    want, ahead = run(started(PLAIN, tmp_path)), started(AHEAD, tmp_path)
    assert run(ahead) == want
    assert 1 < want.count("error") < 6
    ahead.close()


def test_the_process_goes_with_its_object(folder):
    ahead = started(AHEAD, folder)
    pid = ahead._process.pid
    ahead.next()
    os.kill(pid, signal.SIGINT)  # Ctrl-C goes to all processes; what to do is the parent's business
    ahead.next()
    del ahead
    assert gone_within(pid, 5)


def test_a_process_that_ends_on_its_own_is_told(folder):
    ahead = started(AHEAD, folder)
    ahead.next()
    os.kill(ahead._process.pid, signal.SIGKILL)
    with pytest.raises(DataError, match="has ended with code -9"):
        for _ in range(3):
            ahead.next()


def test_the_process_dies_with_a_parent_that_is_killed(folder):
    """The parent is a script without a guard: nothing of it may run in the child."""
    script = f"""
import sys
sys.path[:] = {sys.path!r}
from fast_rcnn.golden import recorded_roidb
from caffe_compat.fast_rcnn.config import cfg_from_list
from caffe_compat.fast_rcnn.source import minibatches
print("once", flush=True)
ahead = minibatches(recorded_roidb(cfg_from_list({[*SMALL, "TRAIN.USE_PREFETCH", "True"]!r}), {str(folder)!r}), 21)
ahead.next()
print(ahead._process.pid, flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout and parent.stdin
    assert parent.stdout.readline() == b"once\n"
    pid = int(parent.stdout.readline())
    assert not gone_within(pid, 0.1)
    parent.kill()
    parent.wait()
    assert gone_within(pid, 5)
    assert parent.stdout.read() == b""
