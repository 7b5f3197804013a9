"""What the reference's Python code answered (tests/golden/pipeline)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from caffe_compat.fast_rcnn.roidb import RoidbEntry

PIPELINE = Path(__file__).parents[1] / "golden" / "pipeline"


def recorded(name: str) -> dict[str, np.ndarray]:
    with np.load(PIPELINE / f"{name}.npz", allow_pickle=False) as file:
        return dict(file)


def recorded_entries() -> list[RoidbEntry]:
    """The ten entries of the reference's roidb: five photos, then the same flipped."""
    roidb = recorded("roidb")
    names = ("boxes", "max_overlaps", "max_classes", "bbox_targets")
    return [RoidbEntry(*(roidb[f"e{i}/{name}"] for name in names)) for i in range(10)]
