from pathlib import Path

import pytest

from fast_rcnn.drawn import write_devkit


@pytest.fixture
def devkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A drawn devkit, and a proposal cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return write_devkit(tmp_path / "VOCdevkit")
