"""Runs every layer type with extreme params, shapes and values, and says what does not end as it should.

    .venv/bin/python scripts/sweep_extremes.py [--types LRN,Pooling] [--kinds params,...] [--seed 1]
    .venv/bin/python scripts/sweep_extremes.py --chains 1000 [--seed 1]

Each numeric field of each message that a type reads is set to 0, 1, -1, its type's ends, NaN and infinity, and each
text and flag to others, one at a time and (pairs) two or three at random; each dim of the bottoms to 0, 1 and a prime
(shapes) and to a million (millions); each bottom is filled with one extreme number. The nets of one layer run forward
and backward by the strict and the fast engine, in children with a limit of time and memory. It is right that both
engines make the same numbers, finite or not, or that there is the project's own error. Faults are: another exception, a
crash, a hang, other numbers, and what takes longer than a second and 10 microseconds for each number of the net's blobs
and params.

--chains N: instead, N nets of several layers that are drawn at random, among them those that the fast engine computes
at once: filters with what follows them, sums with branches, pooling, products, with extreme params and at two shapes,
in phase TEST, and in TRAIN with gradients.

The whole takes an hour or two on one core. --part 0/2 and --part 1/2 share it. The files that data layers read are
written to a temporary folder. Exit code 1 where something was found.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", "1")  # a thread that waits for another one would take time, too

import numba

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from layers.cases import CASES
from layers.data_cases import data_cases
from layers.extreme_chains import attempt_chain, chain
from layers.extremes import KINDS, PYTHON, Outcome, attempt, extremes_of, outcomes
from layers.harness import Case

CHAINS = 100  # that a line tells of
A_NUMBER = 1e-5  # seconds that a number may take besides: 10 for 4 MB


def main() -> int:
    options = parse()
    os.chdir(options.folder)
    numba.njit(lambda: 0)()  # so that the children need not import what numba compiles with
    tried = found = 0
    begin = time.time()
    attempted = attempt_chain if options.chains else attempt
    for name, extremes in parts_of(options):
        for extreme, outcome in outcomes(extremes, options.limit, int(options.room * 2**30), attempted):
            if is_fault(outcome, options.slow):
                found += 1
                print(
                    f"{outcome.kind} {outcome.seconds:.1f} s: {extreme.id[:3000]}: {outcome.told}", flush=True
                )
        tried += len(extremes)
        if not options.quiet:
            print(f"{time.time() - begin:6.0f} s  {name}: {len(extremes)}", file=sys.stderr, flush=True)
    print(f"{tried} cases, {found} faults")
    return int(found > 0)


def parts_of(options: argparse.Namespace) -> Iterator[tuple[str, list]]:
    """The name of each layer type, or of so many chains, with its cases."""
    part, parts = map(int, options.part.split("/"))
    if options.chains:
        for seed in range(options.seed, options.seed + options.chains, CHAINS)[part::parts]:
            count = min(CHAINS, options.seed + options.chains - seed)
            yield f"chains from {seed}", [chain(seed + i) for i in range(count)]
        return
    by_type: dict[str, list[Case]] = {}
    for case in [*CASES, *data_cases(Path(options.folder)), *PYTHON]:
        by_type.setdefault(case.type, []).append(case)
    types = [type for type in sorted(by_type) if not options.types or type in options.types.split(",")]
    for type in types[part::parts]:
        kinds = options.kinds.split(",")
        yield type, list(extremes_of(by_type[type], kinds, options.most, options.pairs, options.seed))


def is_fault(outcome: Outcome, slow: float) -> bool:
    return outcome.kind not in ("ok", "error") or outcome.seconds > slow + A_NUMBER * outcome.numbers


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--types", default="", help="layer types, with commas; all where it is not given")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"which of {', '.join(KINDS)}")
    parser.add_argument(
        "--most", type=int, default=1, help="cases of a type for each field, and for shapes and values"
    )
    parser.add_argument("--pairs", type=int, default=20, help="draws of several fields for each type")
    parser.add_argument("--chains", type=int, default=0, help="so many nets of several layers, instead")
    parser.add_argument("--seed", type=int, default=1, help="of these draws, and of the first chain")
    parser.add_argument("--part", default="0/1", help="K/N: the Kth of N parts, from 0")
    parser.add_argument(
        "--limit", type=float, default=20, help="seconds after which a case counts as hanging"
    )
    parser.add_argument(
        "--slow",
        type=float,
        default=1,
        help="seconds, besides those for its data, after which it counts as slow",
    )
    parser.add_argument("--room", type=float, default=0.5, help="GiB that a case may take")
    parser.add_argument(
        "--folder", default=tempfile.mkdtemp(), help="an empty folder for the data layers' files"
    )
    parser.add_argument("--quiet", action="store_true", help="no line for each type")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
