"""A layer type's family is the same file everywhere: its cases', its naive layer's, its converters'."""

import ast
from pathlib import Path

import pytest

from caffe_compat.layers.python import BUILT_IN_CLASSES
from layers import cases, naive

ROOT = Path(__file__).resolve().parents[2]
PYTHON = {cls.__name__ for cls in BUILT_IN_CLASSES}  # their cases have the type Python
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
    wrong = [
        f"{type} stands in tests/layers/naive/{file}.py, its cases in tests/layers/cases/{FAMILY[type]}.py"
        for type, file in families.items()
        if FAMILY.get(type, file) != file
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", ["engines/torch", "onnx_export"])
def test_a_file_converts_layers_of_one_family(room):
    wrong, seen = [], set()
    for path in (ROOT / "caffe_compat" / room).glob("*.py"):
        families = {type: FAMILY[type] for type in sorted(converted(path)) if type not in PYTHON}
        seen |= set(families.values())
        if len(set(families.values())) > 1:
            of = ", ".join(f"{type} ({family}.py)" for type, family in families.items())
            wrong.append(f"{room}/{path.name} converts types whose cases stand in several files: {of}")
    assert not wrong, "\n".join(wrong)
    assert seen >= {"combining", "filters", "neurons", "rois"}
