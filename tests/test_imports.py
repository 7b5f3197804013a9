"""The rooms keep to one direction of imports, the top-level folders answer to one name only, all are installed."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# module prefix -> height; a module may import what is not higher than itself. The longest prefix counts.
HEIGHTS = {
    "caffe_compat.version": 0,
    "caffe_compat.errors": 0,
    "caffe_compat.alias": 0,
    "caffe_compat.quotas": 0,
    "caffe_compat.memory": 1,
    "caffe_compat.files": 0,
    "caffe_compat.glog": 0,
    "caffe_compat.safe_yaml": 0,
    "caffe_compat.text": 0,
    "caffe_compat.prototxt": 1,
    "caffe_compat.blob": 1,
    "caffe_compat.containers": 1,
    "caffe_compat.compiling": 1,
    "caffe_compat.rng": 1,
    "caffe_compat.threads": 1,
    "caffe_compat.layers.kernels": 1,
    "caffe_compat.layers": 2,
    "caffe_compat.old_meanings": 2,
    "caffe_compat.old_python": 2,
    "caffe_compat.stand_ins": 2,
    "caffe_compat.graph": 3,
    "caffe_compat.trimmed_bottoms": 3,
    "caffe_compat.backward_plan": 4,
    "caffe_compat.learnable_params": 4,
    "caffe_compat.weights": 4,
    "caffe_compat.net_passes": 4,
    "caffe_compat.engine": 4,
    "caffe_compat.net": 5,
    "caffe_compat.engines": 6,
    "caffe_compat.loss_warnings": 6,
    "caffe_compat.index_names": 6,
    "caffe_compat.nothing_learns": 6,
    "caffe_compat.solvers": 7,
    "caffe_compat.tools": 8,
    "caffe_compat.fast_rcnn": 8,
    "caffe_compat.onnx_export": 8,
    "caffe_compat.compare": 8,
    "caffe_compat.explain": 8,
    "caffe_compat.drawing": 8,
    "caffe_compat.report": 8,
    "caffe_compat.debug": 8,
    "caffe_compat.pycaffe": 9,
    "caffe_compat": 9,
    "caffe_compat.cli": 10,
    "caffe_compat.__main__": 11,
}
FOLDERS = {
    "caffe_compat": "caffe_compat",
    "layers": "caffe_compat.layers",
    "prototxt": "caffe_compat.prototxt",
}


def modules():
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):  # does not follow the links in caffe_compat
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            yield ".".join([package, *(part for part in parts if part != "__init__")]), path


MODULES = dict(modules())


def height(module):
    while module not in HEIGHTS:
        module = module.rpartition(".")[0]
    return HEIGHTS[module]


@cache
def nodes(path):
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def imported(path):
    """Absolute names of the modules that a file imports: at its top, in functions, and for types only."""
    names = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.update([node.module, *(f"{node.module}.{name.name}" for name in node.names)])
    return names


def modules_of(module):
    """Our modules that one imports; of a package whose modules it names, these and not the package."""
    names = {name for name in imported(MODULES[module]) if name in MODULES}
    return {name for name in names if not any(other.startswith(f"{name}.") for other in names)} - {module}


def test_direction():
    wrong = [
        f"{module} may not import {name}"
        for module in MODULES
        for name in modules_of(module)
        if height(name) > height(module)
    ]
    assert not wrong


def test_no_circles():
    graph = {module: modules_of(module) for module in MODULES}
    found = list(strongly_connected(graph))
    assert not found, f"modules that import each other: {found}"


def strongly_connected(graph):
    """Groups of modules that reach each other: what is left when leaves are taken away, from both sides."""
    left = dict(graph)
    while True:
        names = set(left)
        read = {name for found in left.values() for name in found}
        ends = {name for name, found in left.items() if not (found & names) or name not in read}
        if not ends:
            break
        left = {name: found - ends for name, found in left.items() if name not in ends}
    if left:
        yield sorted(left)


def test_no_module_is_imported_by_a_built_string():
    """`import_module` is for users' own modules, for extras and numba's, for all modules of a package that pkgutil
    lists, and for the files of layer types, which layers/type_files.py names."""
    for module, path in MODULES.items():
        for node in nodes(path):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
                text = ast.unparse(node.args[0])
                assert not (text.startswith("f") and "caffe_compat" in text), f"{module}: {text}"


def test_no_module_reads_syntax_trees():
    for module, path in MODULES.items():
        assert "ast" not in imported(path), module


def test_kernels_know_arrays_only():
    for module, path in MODULES.items():
        if module.startswith("caffe_compat.layers.kernels."):
            ours = {name for name in imported(path) if name.startswith(("caffe_compat", "google"))}
            assert all(name.startswith("caffe_compat.layers.kernels") for name in ours), module


def test_what_takes_long_is_imported_with_the_first_net():
    program = "import caffe_compat, sys; print({'numba', 'cv2', 'torch', 'caffe_compat.layers.relu'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize("folder", ["layers", "prototxt"])
def test_a_top_level_folder_has_one_name(folder):
    done = subprocess.run(
        [sys.executable, "-c", f"import {folder}.base"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert f"import caffe_compat.{folder}" in done.stderr.splitlines()[-1]


def test_a_checkout_imports_without_an_install():
    program = "import caffe_compat.layers.base, caffe_compat.prototxt.reader as r; print(r.__file__)"
    command = [sys.executable, "-S", "-c", f"import sys; sys.path += {sys.path!r}; {program}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"{ROOT}/caffe_compat/prototxt/reader.py\n", done.stderr
