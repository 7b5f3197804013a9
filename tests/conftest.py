"""What all tests share: they leave the process as they found it."""

import os
import signal

# Workers of pytest-xdist share the cores: threads that wait for work must sleep, or the other worker's cannot run (each
# test then takes ten times as long). What is imported now reads this once
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from caffe_compat.fast_rcnn import config

# A shell that starts the tests in the background lets them ignore Ctrl-C, and the commands that they start with them;
# tests that interrupt a command would wait for it forever
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("default", max_examples=200, deadline=None)
settings.register_profile("thorough", max_examples=1200, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

CONFIGURED = (
    config.RoIDataLayer,
    config.OHEMDataLayer,
    config.ProposalLayer,
    config.AnchorTargetLayer,
    config.ProposalTargetLayer,
)


@pytest.fixture(autouse=True)
def layers_as_they_were():
    """Undo what a configuration does to the classes of layers."""
    before = {cls: dict(vars(cls)) for cls in CONFIGURED}
    yield
    for cls, values in before.items():
        for name in [name for name in vars(cls) if name not in values]:
            delattr(cls, name)
        for name, value in values.items():
            if vars(cls)[name] is not value:
                setattr(cls, name, value)


def pytest_collection_modifyitems(items):
    """Files with slow tests come first, so that in the end no worker waits for another one's."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
