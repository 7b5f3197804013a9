"""Compiled kernels are not kept where a file that they take something from has changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import caffe_compat

KEPT = """
import numpy as np
from caffe_compat.layers.kernels.nms import nms
keep = np.empty(2, np.bool_)
nms(np.float32([[0, 0, 9, 9], [0, 0, 9, 8]]), np.float32(0.5), keep)
print(keep.tolist(), sum(nms.stats.cache_hits.values()))
"""


def test_a_kernel_follows_what_it_calls(tmp_path):
    package = Path(caffe_compat.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package, tmp_path / "caffe_compat", symlinks=False, ignore=ignored)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "kept")}

    def kept() -> str:
        command = [sys.executable, "-c", KEPT]
        return subprocess.check_output(command, env=environment, cwd=tmp_path, text=True).strip()

    assert kept() == "[True, False] 0"
    assert kept() == "[True, False] 1"
    boxes = tmp_path / "caffe_compat/layers/kernels/boxes.py"
    times = os.stat(boxes)
    text = boxes.read_text()
    overlap = "return width * height / (area_a + area_b - width * height)"
    boxes.write_text(text.replace(overlap, overlap.replace("return width", "return 0 * width"), 1))
    os.utime(boxes, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert kept() == "[True, True] 0"
