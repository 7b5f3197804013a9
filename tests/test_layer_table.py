"""docs/layers.md is what scripts/generate_layer_table.py writes, layers/type_files.py what its sister does."""

import runpy
from pathlib import Path

import pytest

from caffe_compat.errors import GraphError
from caffe_compat.layers import registry

ROOT = Path(__file__).resolve().parent.parent


def test_the_files_of_all_types_are_listed():
    script = runpy.run_path(str(ROOT / "scripts" / "generate_layer_files.py"))
    want, got = script["text"](), (ROOT / "layers" / "type_files.py").read_text()
    assert got == want, "layers/type_files.py is stale; run scripts/generate_layer_files.py"


def test_a_type_that_is_not_listed_yet_says_what_to_run(monkeypatch):
    monkeypatch.delitem(registry.FILES, "ReLU")
    monkeypatch.delitem(registry.registered, "ReLU", raising=False)
    with pytest.raises(
        GraphError, match=r"; layers/relu\.py registers it: run scripts/generate_layer_files\.py"
    ):
        registry.layer_class("ReLU")


def test_the_table_is_up_to_date():
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    script = runpy.run_path(str(ROOT / "scripts" / "generate_layer_table.py"))
    want, got = script["text"](), (ROOT / "docs" / "layers.md").read_text()
    assert got == want, "docs/layers.md is stale; run scripts/generate_layer_table.py"
