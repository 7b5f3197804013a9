"""The rooms keep to one direction of imports, the top-level folders answer to one name only, all are installed."""

import ast
import configparser
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# module prefix -> height; a module may import what is not higher than itself. The longest prefix counts.
HEIGHTS = {
    "caffe_compat.version": 0,
    "caffe_compat.errors": 0,
    "caffe_compat.alias": 0,
    "caffe_compat.files": 0,
    "caffe_compat.glog": 0,
    "caffe_compat.old_python": 0,
    "caffe_compat.prototxt": 1,
    "caffe_compat.blob": 1,
    "caffe_compat.compiling": 1,
    "caffe_compat.rng": 1,
    "caffe_compat.threads": 1,
    "caffe_compat.layers.kernels": 1,
    "caffe_compat.net_spec": 2,
    "caffe_compat.layers": 2,
    "caffe_compat.graph": 3,
    "caffe_compat.backward_plan": 4,
    "caffe_compat.learnable_params": 4,
    "caffe_compat.weights": 4,
    "caffe_compat.pycaffe": 4,
    "caffe_compat.engine": 5,
    "caffe_compat.net": 5,
    "caffe_compat.run": 6,
    "caffe_compat.solvers": 6,
    "caffe_compat": 6,
    "caffe_compat.tools": 7,
    "caffe_compat.fast_rcnn": 7,
    "caffe_compat.onnx_export": 7,
    "caffe_compat.torch_engine": 7,
    "caffe_compat.workbench": 7,
    "caffe_compat.workbench.finite": 6,
    "caffe_compat.workbench.losses": 6,
    "caffe_compat.workbench.places": 6,
    "caffe_compat.workbench.replay": 6,
    "caffe_compat.cli": 8,
}
FOLDERS = {
    "caffe_compat": "caffe_compat",
    "layers": "caffe_compat.layers",
    "prototxt": "caffe_compat.prototxt",
}


def modules():
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            yield ".".join([package, *(part for part in parts if part != "__init__")]), path


def height(module):
    while module not in HEIGHTS:
        module = module.rpartition(".")[0]
    return HEIGHTS[module]


def imported(path):
    """Absolute names of our own modules that a file imports when it is imported (not within functions)."""
    tree = ast.parse(path.read_text())
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    guarded = {id(n) for i in ast.walk(tree) if isinstance(i, ast.If) for n in ast.walk(i)}  # TYPE_CHECKING
    for node in ast.walk(tree):
        if id(node) in inside or id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize(
    "module, path", list(modules()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_direction(module, path):
    names = {name for name in imported(path) if name.startswith("caffe_compat.")}
    known = {name for name, _ in modules()}
    for name in names & known:
        assert height(name) <= height(module), f"{module} may not import {name}"


def test_kernels_know_arrays_only():
    for module, path in modules():
        if module.startswith("caffe_compat.layers.kernels."):
            ours = {name for name in imported(path) if name.startswith(("caffe_compat", "google"))}
            assert all(name.startswith("caffe_compat.layers.kernels") for name in ours), module


@pytest.mark.parametrize("folder", ["layers", "prototxt"])
def test_a_top_level_folder_has_one_name(folder):
    done = subprocess.run(
        [sys.executable, "-c", f"import {folder}.base"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert f"import caffe_compat.{folder}" in done.stderr.splitlines()[-1]


def test_every_package_is_installed():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    folders = {module for module, path in modules() if path.name == "__init__.py"}
    assert set(setup["options"]["packages"].split()) == folders
