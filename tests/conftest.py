"""What all tests share: they leave the process as they found it."""

import signal

import pytest

from caffe_compat.fast_rcnn import config

# A shell that starts the tests in the background lets them ignore Ctrl-C, and the commands that they start with them;
# tests that interrupt a command would wait for it forever
signal.signal(signal.SIGINT, signal.default_int_handler)

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
