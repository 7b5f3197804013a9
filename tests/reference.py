"""The reference nets and photos that may lie beside the checkout; tests that need them skip where they do not."""

from pathlib import Path

import pytest

REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "reference"
OHEM_TRAIN = "ohem/models/pascal_voc/VGG_CNN_M_1024/fast_rcnn_ohem/train.prototxt"


def reference(path: str) -> Path:
    """The path of a reference file; skips the test where it is not there."""
    if not (REFERENCE / path).exists():
        pytest.skip(f"the reference files are not beside the checkout ({path})")
    return REFERENCE / path
