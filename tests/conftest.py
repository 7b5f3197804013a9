"""What all tests share: they leave the process as they found it."""

import gc
import os
import signal

# Weights of whole nets come and go: memory that malloc keeps (3 GB at most) is not cleared by the system each time.
# glibc reads this when a process starts, so the workers of pytest-xdist have it
os.environ.setdefault("MALLOC_MMAP_MAX_", "0")
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(3 * 2**30))

# Workers of pytest-xdist share the cores: threads that wait for work must sleep, or the other worker's cannot run.
# What is imported now reads this once
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import settings

# No test sees what is on the disk when the power fails, and to wait for the disk takes seconds; a bad file still fails
os.fsync = os.fstat

# A shell that starts the tests in the background lets them ignore Ctrl-C, and the commands that they start with them;
# tests that interrupt a command would wait for it forever
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("default", max_examples=200)
settings.register_profile("thorough", max_examples=1200)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


gc.disable()  # while files are imported and tests collected, nearly nothing becomes garbage


def pytest_collection_finish():
    gc.enable()


def pytest_collection_modifyitems(items):
    """Files with slow tests come first, so that in the end no worker waits for another one's."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_runtest_setup(item):
    """Nets are garbage that has to be found: a large one does not wait for its memory beside the one before it."""
    if item.get_closest_marker("slow"):
        gc.collect()


@pytest.fixture(scope="module", autouse=True)
def _garbage():
    """What lives when a file begins (all tests, and what is imported) is no garbage: collections do not look at it."""
    gc.collect()
    gc.freeze()
