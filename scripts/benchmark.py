"""Times one training iteration of the OHEM net against a PyTorch program, alternating, and prints the ratios.

    .venv/bin/python scripts/benchmark.py --bench DIR [--rois 2000] [--repeats 5] [--rounds 3] [--threads 2]

DIR holds workload.py (photo, proposals and weights: `load(photo, rois)` and `weights()`) and torch_ohem.py, the
program to measure against; it needs torch. Forward and backward are timed, with everything that the next
iteration needs (the gradients are cleared inside). The two programs never run at the same time.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

NET = "vgg_cnn_m_1024_fast_rcnn_ohem_train"


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("--bench", type=Path, required=True, metavar="DIR")
    result.add_argument("--photo", default="004545")
    result.add_argument("--rois", type=int, default=2000)
    result.add_argument("--repeats", type=int, default=5, help="iterations a program runs in each round")
    result.add_argument("--rounds", type=int, default=3)
    result.add_argument("--threads", type=int, default=2)
    result.add_argument("--layers", action="store_true", help="print this project's time for each layer")
    result.add_argument("--json", action="store_true", help="print one JSON object")
    result.add_argument(
        "--alone", action="store_true", help="run only this project, once, and print its JSON line"
    )
    return result


def load_net(bench: Path, photo: str, rois: int):
    """The net with the workload's weights, serving its blobs."""
    import caffe_compat as caffe
    from caffe_compat.prototxt import zoo

    spec = importlib.util.spec_from_file_location("workload", bench / "workload.py")
    assert spec and spec.loader
    workload = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(workload)
    net = caffe.Net(zoo.path(NET), caffe.TRAIN)
    weights = workload.weights()
    for name in list(weights):
        for blob, value in zip(net.params[name], weights.pop(name), strict=True):
            blob.data[...] = value
    net.layer_dict["data"].set_blobs([workload.load(photo, rois)])
    return net


def measure(args: argparse.Namespace) -> dict:
    """Run this project alone."""
    import caffe_compat as caffe
    from caffe_compat.run import run_net

    caffe.set_num_threads(args.threads)
    caffe.set_random_seed(0)
    net = load_net(args.bench, args.photo, args.rois)
    run_net(net)  # compiles, warms up
    total, forward, backward = [], [], []
    for _ in range(args.repeats):
        start = time.perf_counter()
        net.clear_param_diffs()
        net.forward()
        middle = time.perf_counter()
        net.backward()
        end = time.perf_counter()
        forward.append(1000 * (middle - start))
        backward.append(1000 * (end - middle))
        total.append(1000 * (end - start))
    result = {
        "total_ms_min": round(min(total), 1),
        "total_ms_median": round(statistics.median(total), 1),
        "forward_ms_min": round(min(forward), 1),
        "backward_ms_min": round(min(backward), 1),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    if args.layers:
        report = run_net(net, args.repeats)
        result["layers"] = [[layer.name, layer.forward_ms, layer.backward_ms] for layer in report.layers]
    return result


def run(command: list[str], cwd: Path | None = None) -> dict:
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"benchmark: {' '.join(command)} failed")
    return json.loads(done.stdout.splitlines()[-1])


def compare(args: argparse.Namespace) -> dict:
    """Run both programs in turn, `rounds` times."""
    numbers = ["--rois", str(args.rois), "--repeats", str(args.repeats), "--threads", str(args.threads)]
    numbers += ["--photo", args.photo]
    mine, torch = [], []
    for _ in range(args.rounds):
        mine.append(
            run([sys.executable, __file__, "--alone", "--bench", str(args.bench.resolve()), *numbers])
        )
        torch.append(run([sys.executable, "torch_ohem.py", *numbers], cwd=args.bench))
    result = {"rois": args.rois, "threads": args.threads, "rounds": args.rounds, "repeats": args.repeats}
    for name, runs in (("caffe_compat", mine), ("torch", torch)):
        result[name] = {
            "min_ms": min(r["total_ms_min"] for r in runs),
            "median_ms": statistics.median(r["total_ms_median"] for r in runs),
            "peak_mb": max(r["peak_rss_mb"] for r in runs),
        }
    result["ratio"] = {
        key: round(result["caffe_compat"][key] / result["torch"][key], 3)
        for key in ("min_ms", "median_ms", "peak_mb")
    }
    return result


def main() -> None:
    args = parser().parse_args()
    if args.alone:
        result = measure(args)
        for name, forward, backward in result.pop("layers", []):
            print(f"{name:28} {forward:9.1f} {backward if backward is None else round(backward, 1)!s:>9}")
        print(json.dumps(result))
        return
    result = compare(args)
    if args.json:
        print(json.dumps(result, indent=2))
        return
    print(f"{args.rois} RoIs, {args.threads} threads, {args.rounds} rounds of {args.repeats}")
    print(f"{'':14}{'min ms':>10}{'median ms':>12}{'peak MB':>10}")
    for name in ("caffe_compat", "torch"):
        row = result[name]
        print(f"{name:14}{row['min_ms']:10.1f}{row['median_ms']:12.1f}{row['peak_mb']:10d}")
    row = result["ratio"]
    print(f"{'ratio':14}{row['min_ms']:10.3f}{row['median_ms']:12.3f}{row['peak_mb']:10.3f}")


if __name__ == "__main__":
    main()
