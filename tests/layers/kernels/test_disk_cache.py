"""What is kept of compiled kernels: of this state of the sources only, and whatever is wrong with the files."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import caffe_compat

KEPT = """
import numpy as np
from caffe_compat.layers.kernels.nms import nms
keep = np.empty(2, np.bool_)
nms(np.float32([[0, 0, 9, 9], [0, 0, 9, 8]]), np.float32(0.5), keep)
print(keep.tolist(), sum(nms.stats.cache_hits.values()))
"""

AND_COMPILES = (
    KEPT
    + """
import sys
from numba import njit
print("numba.np.arraymath" in sys.modules)
print(njit(lambda x: np.cumsum(x)[-1] + 3 + np.sum(x))(np.ones(5)))
"""
)


def run(folder: Path, kept: Path, before=None, program: str = KEPT) -> tuple[str, str]:
    """What the program above prints, to either stream."""
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])  # where numba may be, too
    environment = {**os.environ, "PYTHONPATH": path, "NUMBA_CACHE_DIR": str(kept)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # to compile all sources at each start takes a second
    if before:
        environment["PYTHONDONTWRITEBYTECODE"] = "1"  # Python 3.11 keeps half a .pyc where the disk is full
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, env=environment, cwd=folder, text=True, capture_output=True, preexec_fn=before, check=False
    )
    return done.stdout.strip(), done.stderr


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(caffe_compat.__file__).parent, folder / "caffe_compat", ignore=ignored)
    return folder


@pytest.fixture(scope="module")
def kept(package, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    assert run(package, folder)[0] == "[True, False] 0"
    return folder


def test_a_kernel_follows_what_it_calls(package, kept):
    assert run(package, kept)[0] == "[True, False] 1"
    boxes = package / "caffe_compat/layers/kernels/boxes.py"
    times, text = os.stat(boxes), boxes.read_text()
    overlap = "return width * height / (area_a + area_b - width * height)"
    boxes.write_text(text.replace(overlap, overlap.replace("return width", "return 0 * width"), 1))
    os.utime(boxes, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert run(package, kept)[0] == "[True, True] 0"
    boxes.write_text(text)
    assert run(package, kept)[0] == "[True, False] 0"
    assert run(package, kept)[0] == "[True, False] 1"


def test_the_first_kernel_of_a_process_has_threads(package, tmp_path):
    """Compiled in a process that took from the disk what lets threads share kernels, and then taken itself."""
    for function, other in (("fill_columns", ""), ("fill_rows", "0, 9, "), ("fill_rows", "0, 9, ")):
        program = f"""
import numpy as np
from caffe_compat.layers.kernels.bias import {function} as fill
out = np.zeros((9, 9), np.float32)
fill(np.arange(9, dtype=np.float32), {other}out)
print(out.sum())
"""
        assert run(package, tmp_path / "kept", program=program) == ("324.0", "")
    program = """
import numpy as np
from caffe_compat.layers.kernels.run_steps import run_steps
from caffe_compat.layers.kernels.step import STEP
from caffe_compat.layers.kernels.step_normalizing import softmax
x, y = np.float32([[3, 3], [4, 4], [0, 0]]), np.full((3, 2), np.nan, np.float32)
steps = np.zeros(1, STEP)
for name, value in {"function": softmax.address, "parts": 3, "images": 3, "channels": 2, "width": 1}.items():
    steps[name] = value
steps["bottom"], steps["top"] = x.ctypes.data, y.ctypes.data
run_steps(steps, 0, 1)
print(y.tolist())
"""
    for _ in range(2):
        assert run(package, tmp_path / "kept", program=program) == (str([[0.5, 0.5]] * 3), "")


def test_what_is_kept_needs_no_compiler(package, kept):
    """numba's implementations for compiling are imported by who compiles."""
    assert run(package, kept, program=AND_COMPILES)[0].split("\n") == ["[True, False] 1", "False", "13.0"]


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("content", [b"", b"\x80\x05cut"])
def test_files_cut_short(package, kept, tmp_path, kind, content):
    shutil.copytree(kept, tmp_path / "kept")
    files = [path for path in tmp_path.rglob(f"*.{kind}") if path.name.startswith("nms.")]
    assert files
    for path in files:
        path.write_bytes(content)
    assert run(package, tmp_path / "kept") == ("[True, False] 0", "")


def test_no_folder_that_can_be_written(package, tmp_path, monkeypatch):
    """A file where each folder would be: as root, no permission forbids to write."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    beside = package / "caffe_compat/layers/kernels/__pycache__"
    shutil.rmtree(beside, ignore_errors=True)
    beside.write_text("in the way")
    out, told = run(package, tmp_path / "file")
    beside.unlink()
    assert out == "[True, False] 0"
    assert told.count("compiled kernels cannot be kept in") == 1


def test_a_disk_that_is_full(package, tmp_path):
    """No file may grow beyond 3000 bytes: an error of the disk, as where it is full."""

    def small_files():
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    out, told = run(package, tmp_path / "kept", small_files)
    assert out == "[True, False] 0"
    assert told.count("compiled kernels cannot be kept in") == 1
    assert "File too large; each start compiles them again: let NUMBA_CACHE_DIR name" in told
    assert not list(tmp_path.rglob("*.tmp.*"))


def test_processes_that_compile_the_same_at_once(package, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: run(package, tmp_path / "kept"), range(2)))
    assert {out for out, _ in both} <= {"[True, False] 0", "[True, False] 1"}
    assert {told for _, told in both} == {""}
    assert run(package, tmp_path / "kept") == ("[True, False] 1", "")


SHARED_AND_CALLED = """
import sys
import numpy as np
from caffe_compat.layers.kernels import filter_tile, lay_out, neuron
x = np.float32([-1, 2, 3])
neuron.relu(x, np.float32(0), x)
for callee in (lay_out.lay_out(1), lay_out.lay_out(3), filter_tile.filter_tile(2, 1)):
    assert callee.address
print(x.tolist(), "numba.np.arraymath" in sys.modules)
"""


def test_kernels_of_parts_and_callees_are_kept(package, tmp_path):
    """Those made by a function, too: what they take from it must not change from start to start."""
    assert run(package, tmp_path, program=SHARED_AND_CALLED)[0] == "[0.0, 2.0, 3.0] True"
    assert run(package, tmp_path, program=SHARED_AND_CALLED)[0] == "[0.0, 2.0, 3.0] False"
