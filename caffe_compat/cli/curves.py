"""Pictures of precision over recall; needs matplotlib."""

from __future__ import annotations

from pathlib import Path

from caffe_compat.errors import CaffeCompatError
from caffe_compat.fast_rcnn.evaluate import Evaluation, file_name
from caffe_compat.files import replacing


def check_plot(folder: str) -> None:
    """Make the folder. Raises CaffeCompatError where that, or drawing, cannot be: before the work, not after."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise CaffeCompatError("--plot needs matplotlib: pip install 'caffe-compat[plot]'") from error
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CaffeCompatError(f"cannot make the folder: {error.strerror}", file=folder) from error


def plot(evaluation: Evaluation, folder: str) -> None:
    """Draw FOLDER/CLASS.png for each class of which there are objects."""
    from matplotlib.figure import Figure

    for one in evaluation.with_objects.classes:
        figure = Figure(figsize=(5, 4.2), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(one.recall, one.precision, color="C0")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.05)
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
        axes.set_title(f"{one.name}: AP {one.ap_07:.3f} (VOC07), {one.ap_area:.3f} (area)")
        axes.spines[["top", "right"]].set_visible(False)
        with replacing(Path(folder) / f"{file_name(one.name)}.png") as temporary:
            figure.savefig(temporary, format="png", dpi=120)
