"""The reference nets and photos that may lie beside the checkout; tests that need them skip where they do not."""

import importlib.util
from pathlib import Path

import pytest

REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "reference"
OHEM_TRAIN = "ohem/models/pascal_voc/VGG_CNN_M_1024/fast_rcnn_ohem/train.prototxt"


def reference(path: str) -> Path:
    """The path of a reference file; skips the test where it is not there."""
    return _beside(REFERENCE / path)


def workload():
    """The benchmark's module workload.py (photo, proposals, weights); skips the test where it is not there."""
    path = _beside(REFERENCE.parent / "bench" / "workload.py")
    spec = importlib.util.spec_from_file_location("workload", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _beside(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"not beside the checkout: {path.relative_to(REFERENCE.parents[1])}")
    return path
