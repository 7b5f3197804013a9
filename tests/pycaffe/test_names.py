"""docs/pycaffe.md's table of modules and names: what it lists exists, and what exists is listed."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

import caffe_compat as caffe

DOC = (Path(__file__).parents[2] / "docs" / "pycaffe.md").read_text()
TABLE = re.findall(
    r"^\| `([\w.]+)` \| (.+?) \|", DOC.split("## Its modules")[1].split("\n## ")[0], re.MULTILINE
)
NAMES = {(module, name) for module, names in TABLE for name in re.findall(r"`(\w+)`", names)}


def test_the_table_is_read():
    assert len(NAMES) >= 45


@pytest.mark.parametrize("module, name", sorted(NAMES))
def test_listed_names_exist(module, name):
    assert hasattr(importlib.import_module(f"caffe_compat.{module}"), name)


@pytest.mark.parametrize("module", ["net_spec", "io", "classifier", "detector", "coord_map", "draw"])
def test_functions_and_classes_are_listed(module):
    found = importlib.import_module(f"caffe_compat.{module}")
    own = {
        name
        for name, value in vars(found).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == found.__name__
    }
    assert own <= {name for listed, name in NAMES if listed == module}


def test_the_package_has_them_too():
    for name in ("Classifier", "Detector", "NetSpec", "to_proto", "io", "layers", "params", "proto"):
        assert hasattr(caffe, name) and name in caffe.__all__ and f"`{name}`" in DOC
