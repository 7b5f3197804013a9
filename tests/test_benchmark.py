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
        assert row["peak_mb"] > 20 and row["ratios"] == {} and row["speedup"] == 1
        assert row["warm_s"] > max(row["ms"]) / 1000 and row["cold_s"] is None
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
        *(f"{done['results'][0][key]:.2f}" for key in ("min_ms", "median_ms")),
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
            peak = 100 + i if program == "fast" else 50
            one.add({"ms": [ms], "first_s": 9 - i, "peak_mb": peak, "output": output})
        measured.append(one)
    fast1, fast2, _, torch2 = as_json(measured, "a machine", 3, 1)["results"]
    assert (fast2["min_ms"], fast2["median_ms"], fast2["peak_mb"]) == (3, 4, 102)
    assert (fast2["warm_s"], fast2["cold_s"], fast2["speedup"]) == (7, None, 2)
    assert fast1["ratios"] == {"torch": {"min": 0.6, "median": 7 / 11, "peak": 102 / 50}}
    assert fast2["ratios"] == {"torch": {"min": 0.5, "median": 0.5, "peak": 102 / 50}}
    assert math.isclose(torch2["difference"], 0.25) and fast1["difference"] == 0


def test_worst_case_comes_first(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from benchmarks.report import Measured, as_json, worst_first

    measured = []
    for case, program, ms in (
        ("alexnet", "fast", 3),
        ("alexnet", "torch", 2),
        ("update", "fast", 9),
        ("lenet@8", "fast", 5),
        ("lenet@8", "onnxruntime", 2),
    ):
        measured.append(Measured(case, program, 2))
        measured[-1].add({"ms": [ms], "first_s": 1, "peak_mb": 1, "output": None})
    rows = worst_first(as_json(measured, "a machine", 1, 1))
    assert [row["case"] for row in rows] == ["lenet@8", "lenet@8", "alexnet", "alexnet", "update"]
    assert rows[0]["title"] == "lenet forward, batch 8"


def test_cases(monkeypatch, tmp_path):
    for name in ("model2", "model1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "net.prototxt").write_text(NET)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from benchmarks.cases import case, runs

    script = runpy.run_path(str(SCRIPTS / "benchmark.py"))
    args = script["parser"]().parse_args(
        ["lenet-training", "alexnet", "--models", str(tmp_path), "--batch", "1", "8"]
    )
    models = [f"{tmp_path}/model{which}" for which in ("1", "1@8", "2", "2@8")]
    assert script["cases_of"](args) == ["lenet-training", "alexnet", "alexnet@8", *models]
    model = case(models[1])
    assert (model.title, model.batch) == ("model1 forward, batch 8", 8)
    assert runs("onnxruntime", model) and not runs("torch", model)


def test_training_case(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from benchmarks.cases import Case
    from benchmarks.prepare import training_case

    net, arrays = training_case(Case("", "learn", net="lenet", batch=3))
    for name, array in arrays.items():
        net.blobs[name].data[...] = array
    net.forward()
    net.backward()
    assert net.blobs["data"].shape == (3, 1, 28, 28) and 0.1 < net.blobs["loss"].data < 100
    assert all(blob.diff.any() for blobs in net.params.values() for blob in blobs)


def test_bad_arguments():
    for arguments, message in (
        (["vgg19"], "benchmark: there is no case vgg19; there are W, W300"),
        (["W"], "benchmark: W needs --bench DIR"),
        (["alexnet", "--rounds", "0"], "benchmark: --repeats, --rounds, --threads and --batch must"),
        (["--models", "tests"], "benchmark: tests has no folder with a net.prototxt"),
    ):
        done = benchmark(*arguments)
        assert done.returncode == 1 and done.stderr.startswith(message) and done.stderr.count("\n") == 1
