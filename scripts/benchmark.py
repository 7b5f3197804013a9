"""Times this project against other ways to run the same nets on the CPU, on this machine, in turn.

    .venv/bin/python scripts/benchmark.py --bench DIR        # all cases, all programs that are installed
    .venv/bin/python scripts/benchmark.py W W300 --bench DIR --programs fast torch --threads 1 2 --json
    .venv/bin/python scripts/benchmark.py vgg16 resnet50 --layers --picture bars.png
    .venv/bin/python scripts/benchmark.py --models FOLDER --batch 1 8 --programs fast onnxruntime --start
    .venv/bin/python scripts/benchmark.py lenet-training W --bench DIR --neighbour
    .venv/bin/python scripts/benchmark.py --scaling scaling.png --bench DIR

Cases: W (forward and backward of the OHEM net, a 600 x 800 photo, 2000 RoIs), W300, step (W and the SGD update), test
(the TEST net forward), update (SGD over 85 M params), forward of vgg16, alexnet, googlenet, resnet50, lenet and
cifar10_quick, and forward and backward of the last five (alexnet-training and so on).
A file NET.prototxt with one Input is a forward case too, and a folder with net.prototxt, net.caffemodel and input.npy;
--models takes all in a folder.
Programs: fast, strict and engine-torch (this project's engines), torch, and where they are installed onnxruntime,
opencv (OpenCV 4's dnn) and pycaffe, which run forward cases only. DIR holds workload.py (photo, proposals,
weights) and torch_ohem.py, the PyTorch program of the iteration. Every run is a process of its own, and only one runs
at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from benchmarks.cases import CASES, OURS, PROGRAMS, Case, case, runs
from benchmarks.report import Measured, as_json, bars, layer_table, table
from benchmarks.timing import STARTED

SCRIPT = str(Path(__file__).resolve())


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; default: all")
    result.add_argument("--models", metavar="FOLDER", help="more forward cases: its sub-folders with a model")
    result.add_argument("--batch", type=int, nargs="+", default=[1], help="of forward cases, one or more")
    result.add_argument("--programs", nargs="+", choices=PROGRAMS, help="default: all that are installed")
    result.add_argument("--bench", metavar="DIR", help="the workload of W, W300, step and test")
    result.add_argument("--threads", type=int, nargs="+", help="one or more numbers; default: all cores")
    result.add_argument("--rounds", type=int, default=3, help="how often the programs take turns")
    result.add_argument("--repeats", type=int, default=3, help="timed runs in a process")
    result.add_argument("--neighbour", action="store_true", help="beside one busy process")
    result.add_argument(
        "--start", action="store_true", help="also a first run of ours without compiled kernels"
    )
    result.add_argument("--layers", action="store_true", help="also this project's times for each layer")
    result.add_argument("--scaling", metavar="F.png", help="instead: draw times over RoIs and image sizes")
    result.add_argument("--picture", metavar="F.png", help="draw bars (needs matplotlib)")
    result.add_argument("--json", action="store_true", help="print one JSON object")
    hidden = argparse.SUPPRESS  # of a program's own process
    result.add_argument("--only", nargs=2, metavar=("PROGRAM", "CASE"), help=hidden)
    result.add_argument("--folder", help=hidden)
    result.add_argument("--onnx", action="store_true", help=hidden)
    result.add_argument("--rois", type=int, default=0, help=hidden)
    result.add_argument("--side", type=int, default=600, help=hidden)
    return result


def alone(args: argparse.Namespace) -> None:
    """Be one program on one case."""
    program, name = args.only
    args.threads = args.threads[0]
    if program == "prepare":
        from benchmarks import prepare

        prepare.write(case(name), args)
    elif program in OURS:
        from benchmarks import ours

        ours.run(case(name), program, args)
    elif program == "torch":
        from benchmarks import torch_peer

        torch_peer.run(case(name), args)
    else:
        from benchmarks import runtimes

        runtimes.run(program, args)


def start(
    program: str, case: str, threads: int, args: argparse.Namespace, *more: str, kernels: str = ""
) -> dict[str, Any]:
    """Run a program on a case in a process of its own; returns what it says. kernels: where compiled ones are kept.

    This process has to stay small: on Linux a process's peak memory begins with that of the one that started it.
    """
    command = [sys.executable, SCRIPT, "--only", program, case, "--threads", str(threads)]
    command += ["--repeats", str(args.repeats), *more]
    command += [*(["--bench", args.bench] if args.bench else [])]
    number = str(threads)
    env = {
        **os.environ,
        **dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"), number),
    }
    if program == "torch":  # its kernels are compiled to a place of their own, the folder stays as it is
        cache = Path(tempfile.gettempdir()) / "caffe-compat-benchmark"
        env |= {"PYTHONDONTWRITEBYTECODE": "1", "NUMBA_CACHE_DIR": str(cache)}
    if kernels:
        env["NUMBA_CACHE_DIR"] = kernels
    with neighbour() if args.neighbour else nullcontext():
        env[STARTED] = str(time.monotonic())
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=env)
    if done.returncode:
        sys.exit(f"benchmark: {program} failed on {case}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@contextmanager
def neighbour() -> Iterator[None]:
    """Another process that is busy all the time."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


def programs_of(what: Case, args: argparse.Namespace) -> list[str]:
    """The chosen programs that have a case and are installed."""
    chosen = args.programs or PROGRAMS
    return [name for name in chosen if runs(name, what) and PROGRAMS[name]()]


def measure(name: str, args: argparse.Namespace) -> list[Measured]:
    """All programs on a case, in turn."""
    programs = programs_of(case(name), args)
    with tempfile.TemporaryDirectory() as folder:
        if case(name).kind == "forward":
            onnx = ["--onnx"] if "onnxruntime" in programs else []
            start("prepare", name, 1, args, "--folder", folder, *onnx)
            if onnx and not Path(folder, "net.onnx").exists():
                programs.remove("onnxruntime")
        result = [Measured(name, program, threads) for program in programs for threads in args.threads]
        for one in result if args.start else []:
            if one.program in OURS:
                with tempfile.TemporaryDirectory() as kernels:
                    more = "--folder", folder, "--repeats", "1"
                    said = start(one.program, name, one.threads, args, *more, kernels=kernels)
                    one.cold_s = said["first_s"]
        for i in range(args.rounds):
            for one in result:
                talk(f"{name}: {one.program}, {one.threads} thread(s), round {i + 1} of {args.rounds}")
                layers = ["--layers"] if args.layers and one.program in OURS else []
                one.add(start(one.program, name, one.threads, args, "--folder", folder, *layers))
    return result


def talk(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def cases_of(args: argparse.Namespace) -> list[str]:
    """The names of all cases, forward ones with each batch."""
    names = args.cases or [name for name in CASES if args.bench or not CASES[name].needs_bench]
    if args.models:
        models = sorted(str(file.parent) for file in Path(args.models).glob("*/net.prototxt"))
        if not models:
            sys.exit(f"benchmark: {args.models} has no folder with a net.prototxt")
        names = [*args.cases, *models]
    result = []
    for name in names:
        is_forward = name not in CASES or CASES[name].kind == "forward"
        result += (
            [name if batch == 1 else f"{name}@{batch}" for batch in args.batch] if is_forward else [name]
        )
    return result


def check(args: argparse.Namespace, cases: Sequence[str]) -> None:
    for name in cases:
        try:
            case(name)
        except KeyError:
            known = f"{', '.join(CASES)}, and files of nets and folders of models"
            sys.exit(f"benchmark: there is no case {name}; there are {known}")
    needing = [name for name in cases if case(name).needs_bench]
    if (needing or args.scaling) and not args.bench:
        sys.exit(
            f"benchmark: {needing[0] if needing else '--scaling'} needs --bench DIR, the workload's folder"
        )
    missing = [name for name in args.programs or () if not PROGRAMS[name]()]
    if missing:
        sys.exit(f"benchmark: {missing[0]} is not installed")
    if min(args.repeats, args.rounds, *args.threads, *args.batch) < 1:
        sys.exit("benchmark: --repeats, --rounds, --threads and --batch must be at least 1")


def main(argv: Sequence[str] | None = None) -> None:
    args = parser().parse_args(argv)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    args.threads = args.threads or [cores]
    if args.only:
        alone(args)
        return
    cases = cases_of(args)
    check(args, cases)
    from measuring import machine

    if args.scaling:
        from benchmarks import scaling

        scaling.run(args, start, talk, machine())
        return
    measured = [one for name in cases for one in measure(name, args)]
    report = as_json(measured, machine(), args.rounds, args.repeats)
    if args.picture:
        bars(report, Path(args.picture))
    if args.json:
        print(json.dumps(report, indent=2))
        return
    print(table(report))
    for row in report["results"]:
        if row["program"] in OURS and row["layers"]:
            peers = [r for r in report["results"] if (r["program"], r["case"]) == ("torch", row["case"])]
            same = [r["layers"] for r in peers if r["threads"] == row["threads"]]
            print("\n" + layer_table(row, same[0] if same else None))


if __name__ == "__main__":
    main()
