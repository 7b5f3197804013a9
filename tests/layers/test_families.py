"""A layer type's family is the same file everywhere: its cases', its naive layer's, its converters'."""

import ast
from pathlib import Path

import pytest

from layers import cases, naive

ROOT = Path(__file__).resolve().parents[2]
FAMILY = {case.type: name for name, room in vars(cases).items() for case in getattr(room, "CASES", ())}


def converted(path: Path) -> set[str]:
    """The types that a file's functions convert: the arguments of each `@converts`."""
    return {
        type.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "converts"
        for type in node.args
        if isinstance(type, ast.Constant)
    }


def test_naive_layers_stand_where_their_cases_do():
    families = {type: name for name, room in vars(naive).items() for type in getattr(room, "NAIVE", ())}
    assert families == FAMILY


@pytest.mark.parametrize("room", ["engines/torch", "onnx_export"])
def test_a_file_converts_layers_of_one_family(room):
    families = {
        path.name: {FAMILY[type] for type in converted(path)}
        for path in (ROOT / "caffe_compat" / room).glob("*.py")
    }
    assert all(len(found) <= 1 for found in families.values()), families
    assert set().union(*families.values()) >= {"combining", "filters", "neurons", "rois"}
