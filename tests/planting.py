"""Recordings with a planted error: made by the recorder from another net, other weights or other inputs."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
from commands import run

from caffe_compat.alias import importable_as_caffe

ROOT = Path(__file__).resolve().parent.parent
SMALL = ROOT / "tests/compare/small.prototxt"
Arrays = dict[str, np.ndarray]


def record(folder: Path, net: Path, *args: object) -> Path:
    """Run scripts/record_in_caffe.py, with this package in the place of caffe; returns the recording."""
    path = folder / "recording.npz"
    script = runpy.run_path(str(ROOT / "scripts" / "record_in_caffe.py"))
    with importable_as_caffe():
        script["main"](list(map(str, [net, path, *args])))
    return path


def load(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def save(path: Path, arrays: Arrays) -> Path:
    np.savez(path, **arrays)
    return path


def edited(path: Path, old: str, new: str, source: Path = SMALL) -> Path:
    """A copy of a prototxt with one piece of text changed."""
    text = source.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))
    return path


def small_inputs() -> Arrays:
    """Inputs of small.prototxt: RoIs of both images, labels of all classes."""
    rng = np.random.RandomState(5)
    corners = rng.uniform(0, 17, (9, 2)), rng.uniform(3, 15, (9, 2))
    boxes = np.hstack([corners[0], np.minimum(corners[0] + corners[1], [23, 19])])
    return {
        "data": rng.standard_normal((2, 3, 20, 24)).astype(np.float32) * 60,
        "rois": np.hstack([rng.randint(0, 2, (9, 1)), boxes]).astype(np.float32),
        "labels": rng.randint(0, 4, 9).astype(np.float32),
    }


def diff(*args: object, net: Path = SMALL) -> dict:
    """What `caffe-compat diff --json` says; the exit code must be 1."""
    done = run("caffe_compat.cli.main", "diff", net, *args, "--json")
    assert done.returncode == 1, done.stderr + done.stdout[-500:]
    return json.loads(done.stdout)


def first(result: dict) -> tuple[str, ...]:
    """The first divergence as (stage, layer, blob, layer of the first cause, its text)."""
    divergence = result["divergences"][0]
    row = result["rows"][divergence["row"]]
    assert not row["same"] and all(earlier["same"] for earlier in result["rows"][: divergence["row"]])
    cause = divergence["causes"][0]
    return row["stage"], row["layer"], row["blob"], cause["layer"], cause["text"]
