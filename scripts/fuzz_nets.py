"""Runs random nets by the strict and the fast engine, in ways that a user could think of, and says what differs.

    .venv/bin/python scripts/fuzz_nets.py [--nets 1000] [--start 0]

tests/engines/random_nets.py says how nets are drawn, and what is done with them: whole passes and parts, with other
data, params, shapes and threads, blobs that are asked for, held or written, callbacks, NaN that comes by. Blobs of the
nets end before a page that nobody may touch, but for the bytes that kernels may read, and have a pattern around them
that must stay. Every second net runs image by image, however small those are, every third one convolves all maps that
it can with filters for columns, every fourth one multiplies in tile registers, where there are any, however little.
Ends with 1 where there were faults.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import mmap
import os
import sys
import time
import warnings
import weakref
from collections import Counter
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
from engines.random_nets import Trial

from caffe_compat import blob as blobs
from caffe_compat.engines.fast import image_by_image, program
from caffe_compat.engines.fast.steps import small_maps
from caffe_compat.errors import CaffeCompatError
from caffe_compat.layers.kernels import scratch, tile_products

PAGE, PATTERN = mmap.PAGESIZE, np.uint32(0x7FC0DEAD)  # a NaN


class Guard:
    """Memory before pages that nobody may touch."""

    def __init__(self) -> None:
        self._protect = ctypes.CDLL(None, use_errno=True).mprotect
        self._protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        self._around: list[tuple[weakref.ref[mmap.mmap], list[tuple[int, int]]]] = []
        blobs._zeros = lambda shape, count, dtype: self.array(count, dtype, blobs.BEHIND, 0)  # type: ignore[assignment]
        scratch.aligned = lambda count, dtype=np.float32: self.array(count, dtype, 0, 0xFF)  # type: ignore[assignment]
        program.aligned = scratch.aligned  # type: ignore[attr-defined]

    def array(self, count: int, dtype: type | np.dtype, behind: int, fill: int) -> np.ndarray:
        """So many numbers, full of these bytes, that end a line of the cache and `behind` bytes before such a page."""
        need = int(count) * np.dtype(dtype).itemsize
        room = -(-need // blobs.LINE) * blobs.LINE + behind
        whole = -(-(room + blobs.LINE) // PAGE) * PAGE
        memory = mmap.mmap(-1, whole + 2 * PAGE)
        every = np.frombuffer(memory, np.uint8)
        begin, end = PAGE + whole - room, PAGE + whole
        every[PAGE:end].view(np.uint32)[:] = PATTERN
        every[begin : begin + need] = fill
        for page in (0, end):
            if self._protect(every.ctypes.data + page, PAGE, 0):
                raise OSError(ctypes.get_errno(), "mprotect")
        self._around.append((weakref.ref(memory), [(PAGE, begin), (begin + -(-need // 4) * 4, end)]))
        return every[begin : begin + need].view(dtype)

    def check(self) -> None:
        """Raise AssertionError where somebody has written around an array."""
        self._around = [one for one in self._around if one[0]() is not None]
        for reference, parts in self._around:
            memory = reference()
            for first, last in parts if memory is not None else []:
                around = np.frombuffer(memory, np.uint8)[first:last].view(np.uint32)  # type: ignore[arg-type]
                assert (around == PATTERN).all(), "somebody has written around an array"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nets", type=int, default=1000, metavar="N")
    parser.add_argument("--start", type=int, default=0, metavar="N", help="the first net's seed; default: 0")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    guard, begin, found, kinds = Guard(), time.monotonic(), 0, Counter[str]()
    bounds = image_by_image.LEAST, image_by_image.MOST_PARAMS
    of_maps = small_maps.LEAST_WORK, small_maps.LEAST_ROWS, small_maps.GAIN
    of_tiles = tile_products.LEAST, tile_products.LEAST_PRODUCTS
    for seed in range(args.start, args.start + args.nets):
        print(f"\r{seed}", end="", file=sys.stderr, flush=True)  # what a crash was of
        image_by_image.LEAST, image_by_image.MOST_PARAMS = (0, 10**9) if seed % 2 else bounds
        all_maps = 0, 1, math.inf
        small_maps.LEAST_WORK, small_maps.LEAST_ROWS, small_maps.GAIN = of_maps if seed % 3 else all_maps
        tile_products.LEAST, tile_products.LEAST_PRODUCTS = of_tiles if seed % 4 else (1, 1)
        trial = Trial(seed, guard.check)
        try:
            trial.run()
        except (AssertionError, CaffeCompatError) as error:
            found += 1
            print(f"{seed}: {error}\n    after {', '.join(trial.done)}\n{trial.drawn.text}", flush=True)
        kinds.update(trial.drawn.kinds)
    seconds = time.monotonic() - begin
    print(f"{args.nets} nets of {kinds.total()} layers, {len(kinds)} types: {found} faults, {seconds:.0f} s")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
