"""The benchmark's processes, table, JSON and picture, on a tiny net; its numbers are nobody's concern here."""

import json
import math
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"

NET = """\
name: "tiny"
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 6 dim: 7 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv"
        convolution_param { num_output: 8 kernel_size: 3 pad: 1 stride: 2 group: 2 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" inner_product_param { num_output: 5 } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""


def benchmark(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, SCRIPTS / "benchmark.py", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    (folder / "net.prototxt").write_text(NET)
    options = (
        "--programs",
        "fast",
        "strict",
        "--threads",
        1,
        "--rounds",
        1,
        "--repeats",
        2,
        "--json",
        "--layers",
    )
    result = benchmark("net.prototxt", *options, cwd=folder)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.slow
def test_json(done):
    assert (done["rounds"], done["repeats"]) == (1, 2)
    fast, strict = done["results"]
    assert (fast["program"], strict["program"]) == ("fast", "strict")
    for row in done["results"]:
        assert len(row["ms"]) == 2 and row["min_ms"] == min(row["ms"]) > 0
        assert row["peak_mb"] > 20 and row["min_ratio"] is None and row["speedup"] == 1
        assert row["difference"] < 1e-6
    layers = {layer["name"]: layer for layer in fast["layers"]}
    assert layers["conv"]["forward_gflop"] == pytest.approx(
        2e-9 * 8 * 3 * 4 * 2 * 9
    )  # 8 x 3 x 4 of 2 x 3 x 3
    assert layers["ip"]["forward_gflop"] == pytest.approx(2e-9 * 5 * 96)
    bound = 1000 * layers["ip"]["forward_gflop"] / layers["ip"]["sgemm_gflops"]
    assert layers["ip"]["forward_bound_ms"] == pytest.approx(bound)
    assert layers["ip"]["backward_ms"] is None and layers["relu"]["forward_gflop"] == 0


@pytest.mark.slow
def test_table_and_picture(done, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    report = runpy.run_path(str(SCRIPTS / "benchmarks" / "report.py"))
    lines = report["table"](done).splitlines()
    assert max(map(len, lines[:4])) <= 100
    assert lines[1].endswith("net forward, batch 1")
    assert lines[2].split()[:4] == [
        "fast",
        "1",
        *(f"{done['results'][0][key]:.1f}" for key in ("min_ms", "median_ms")),
    ]
    layers = report["layer_table"](done["results"][0], {"conv": 1.25}).splitlines()
    assert "torch" in layers[1] and layers[3].split()[5] == "1.25" and max(map(len, layers)) <= 100
    pytest.importorskip("matplotlib")
    report["bars"](done, tmp_path / "bars.png")
    assert (tmp_path / "bars.png").read_bytes()[:4] == b"\x89PNG"


def test_ratios(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from benchmarks.report import Measured, as_json

    measured = []
    for program, threads, times in (
        ("fast", 1, [8, 6, 7]),
        ("fast", 2, [4, 3, 5]),
        ("torch", 1, [12, 10, 11]),
        ("torch", 2, [8, 6, 10]),
    ):
        one = Measured("vgg16", program, threads)
        output = [1.0, 2.0 if program == "fast" else 2.5]
        for i, ms in enumerate(times):
            one.add({"ms": [ms], "peak_mb": 100 + i, "output": output})
        measured.append(one)
    fast1, fast2, _, torch2 = as_json(measured, "a machine", 3, 1)["results"]
    assert (fast2["min_ms"], fast2["median_ms"], fast2["peak_mb"]) == (3, 4, 102)
    assert (fast1["min_ratio"], fast1["median_ratio"]) == (0.6, 7 / 11)
    assert (fast2["min_ratio"], fast2["median_ratio"], fast2["speedup"]) == (0.5, 0.5, 2)
    assert math.isclose(torch2["difference"], 0.25) and fast1["difference"] == 0


def test_bad_arguments():
    for arguments, message in (
        (["vgg19"], "benchmark: there is no case vgg19; there are W, W300"),
        (["W"], "benchmark: W needs --bench DIR"),
        (["alexnet", "--rounds", "0"], "benchmark: --repeats, --rounds and --threads must be at least 1"),
    ):
        done = benchmark(*arguments)
        assert done.returncode == 1 and done.stderr.startswith(message) and done.stderr.count("\n") == 1
