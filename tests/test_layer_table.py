"""docs/layers.md is what scripts/generate_layer_table.py writes, layers/files.py what generate_layer_files.py does."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_the_files_of_all_types_are_listed():
    script = runpy.run_path(str(ROOT / "scripts" / "generate_layer_files.py"))
    want, got = script["text"](), (ROOT / "layers" / "files.py").read_text()
    assert got == want, "layers/files.py is stale; run scripts/generate_layer_files.py"


def test_the_table_is_up_to_date():
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    script = runpy.run_path(str(ROOT / "scripts" / "generate_layer_table.py"))
    want, got = script["text"](), (ROOT / "docs" / "layers.md").read_text()
    assert got == want, "docs/layers.md is stale; run scripts/generate_layer_table.py"
