"""How many threads the kernels use."""

import numba

from caffe_compat.errors import CaffeCompatError


def set_num_threads(count: int) -> None:
    """Use this many threads from now on. Raises CaffeCompatError where there are fewer (NUMBA_NUM_THREADS)."""
    most = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    if not 1 <= count <= most:
        raise CaffeCompatError(f"cannot use {count} threads, there are 1 to {most}")
    numba.set_num_threads(count)
