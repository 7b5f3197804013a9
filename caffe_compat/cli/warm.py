"""caffe-compat warm: compiles the kernels that nets need, so that later starts need not."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caffe_compat.cli import console, options

if TYPE_CHECKING:
    from caffe_compat.net import Net

DESCRIPTION = """\
Compile the kernels that nets and solvers need, ahead of their first real run: each is run once, forward and
backward, on drawn or random data, and a solver makes one update. Without NET: those of the zoo, which
need most kernels. Compiled kernels are kept beside the package, or in NUMBA_CACHE_DIR.

A net whose data layer reads files needs them here too."""

EXAMPLES = """\
examples:
  caffe-compat warm
  caffe-compat warm train.prototxt solver.prototxt
  caffe-compat warm deploy.prototxt --engine strict --json"""

HELP: dict[str, Any] = {
    "description": DESCRIPTION,
    "epilog": EXAMPLES,
}


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_warm)
    result.add_argument("nets", metavar="NET", nargs="*", help="nets or solvers; default: those of the zoo")
    options.add_computing(result)
    options.add_no_python_layers(result)
    options.add_output(result)


def _warm(args: argparse.Namespace) -> None:
    from caffe_compat.prototxt import zoo

    console.set_computing(args)
    verbose = not (args.quiet or args.json)
    done, may_import = [], console.may_import(args)
    for path in args.nets or [str(zoo.path(name)) for name in zoo.names()]:
        names, seconds = _run(path, verbose, may_import)
        if verbose:
            print(f"{Path(path).name}: {len(names)} kernels compiled, {seconds:.1f} s", flush=True)
        done.append({"net": path, "compiled": len(names), "kernels": names, "seconds": round(seconds, 2)})
    if args.json:
        print(json.dumps(done, indent=2))


def _run(path: str, verbose: bool, may_import: bool) -> tuple[list[str], float]:
    """The names of the kernels that a run compiled, and the seconds of the run."""
    import caffe_compat as caffe
    from caffe_compat.compiling import noticed
    from caffe_compat.prototxt.reader import is_solver

    start = time.perf_counter()
    with console.progress(0, not verbose) as bar, noticed(lambda name: bar(f"compiling {name}")) as names:
        if is_solver(path):
            solver = caffe.get_solver(path, python_layers=may_import)
            _pass(solver.net)
            solver.apply_update()
        else:
            for phase in (caffe.TRAIN, caffe.TEST):
                _pass(caffe.Net(path, phase, python_layers=may_import))
    return names, time.perf_counter() - start


def _pass(net: Net) -> None:
    from caffe_compat.fast_rcnn.feed import feed_sample
    from caffe_compat.tools.run import run_net

    if len(net.inputs) == 1:  # a batch of images: one will do
        blob = net.blobs[net.inputs[0]]
        blob.reshape(1, *blob.shape[1:])
    feed_sample(net)
    run_net(net)
