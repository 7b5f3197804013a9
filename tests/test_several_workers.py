"""`evaluate` and `check-data` shared out over two workers: each photo is read once, and the result is one process's."""

import json
import re
from collections import Counter

import pytest
from commands import run
from own_data import write_all
from processes import python
from several import decoded, run_workers

pytest.importorskip("torch")


import caffe_compat as caffe

pytestmark = pytest.mark.slow
PHOTOS = 19  # more than two workers find before they meet, and odd
EVALUATE = [
    "evaluate",
    "test.prototxt",
    "--weights",
    "own.caffemodel",
    "--devkit",
    "screws",
    "--classes",
    "bolt,gear",
]
EVALUATE += ["--set", "TEST.SCALES", "(72,)", "--threads", "1", "--output", "found", "--json"]  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "proposals"))
    write_all(tmp_path, photos=PHOTOS)
    caffe.set_random_seed(5)
    caffe.Net(str(tmp_path / "test.prototxt"), caffe.TEST).save(str(tmp_path / "own.caffemodel"))
    return tmp_path


def said(done):
    """What the workers said; torchrun's own words left out."""
    return re.findall(r"^(?:error|Images read|.*png: error): .*", done.stderr, re.MULTILINE)


def test_evaluation_is_one_process_s(folder):
    one = run("caffe_compat.cli.main", *EVALUATE, cwd=folder)
    assert (one.returncode, one.stderr) == (0, "")
    names = sorted(path.name for path in (folder / "found").iterdir())
    assert len(json.loads(one.stdout)["classes"]) == 2 and len(names) == 3
    (folder / "found").rename(folder / "by one")

    done = run_workers(2, *EVALUATE, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == one.stdout and said(done) == ["Images read: 10 by worker 0, 9 by worker 1"]
    assert sorted(path.name for path in (folder / "found").iterdir()) == names
    for name in names:
        assert (folder / "found" / name).read_bytes() == (folder / "by one" / name).read_bytes()
    times = Counter(photo for photos in decoded(folder, 2) for photo in photos)
    assert list(times.values()) == [1] * PHOTOS


def test_a_bad_photo_is_said_once_and_what_was_found_before_is_kept(folder):
    photo = folder / "screws/JPEGImages/screw 18.png"  # the last one, after they have met once
    whole = photo.read_bytes()
    photo.write_bytes(whole[:200])  # its header can be read
    done = run_workers(2, *EVALUATE, cwd=folder)
    assert done.returncode != 0 and done.stdout == ""
    (line,) = said(done)
    assert line.startswith("screws/JPEGImages/screw 18.png: error: ")
    photo.write_bytes(whole)
    again = run("caffe_compat.cli.main", *EVALUATE[:-1], cwd=folder)
    assert "16 of 19 photos are done already, by an earlier run" in again.stdout


def test_a_killed_worker_ends_the_command(folder):
    done = run_workers(2, *EVALUATE, cwd=folder, victim=0)
    assert done.returncode != 0 and done.stdout == ""
    (line,) = said(done)
    assert line.startswith("error: a worker is gone")


def test_checked_data_are_as_one_process_sees_them(folder):
    for i in (3, 4, 12):  # of both workers
        annotation = folder / f"screws/Annotations/screw {i}.xml"
        annotation.write_text(annotation.read_text().replace("<xmax>", "<xmax>2", 1))  # outside
    (folder / "screws/Annotations/screw 7.xml").write_text("<annotation>")
    command = ["check-data", "--devkit", "screws", "--search", "--json"]
    one = run("caffe_compat.cli.main", *command, cwd=folder)
    done = run_workers(2, *command, cwd=folder)
    assert (one.returncode, done.returncode) == (1, 1) and done.stdout == one.stdout
    result = json.loads(done.stdout)
    assert [fault["image"] for fault in result["faults"]] == ["screw 3", "screw 4", "screw 7", "screw 12"]
    assert sum(one["covered"] for one in result["classes"]) > 0
    assert said(done) == ["Images read: 10 by worker 0, 9 by worker 1"]
    times = Counter(photo for photos in decoded(folder, 2) for photo in photos)
    assert list(times.values()) == [1] * PHOTOS


def test_data_are_checked_without_torch(folder):
    program = """
        import sys
        sys.modules["torch"] = None
        from caffe_compat.cli.main import main
        sys.exit(main(["check-data", "--devkit", "screws", "--classes", "bolt,gear", "--quiet"]))
    """
    done = python(program, cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
