"""Python layers: users' own modules, as they were written for pycaffe."""

from __future__ import annotations

import importlib
import re
import sys
import textwrap

import numpy as np
import pytest

import caffe_compat
from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, Layer
from caffe_compat.layers.registry import computed_type, create_layer, layer_type_list
from layers.harness import Runner, parse

SCALE = """
    import caffe
    from caffe import Layer

    class Scale(caffe.Layer):
        def setup(self, bottom, top):
            self.factor = float(self.param_str_)
            assert self.param_str == self.param_str_
            assert issubclass(caffe.Layer, Layer)

        def reshape(self, bottom, top):
            top[0].reshape(*bottom[0].data.shape)

        def forward(self, bottom, top):
            assert caffe.TRAIN == 0
            top[0].data[...] = self.factor * bottom[0].data

        def backward(self, top, propagate_down, bottom):
            if propagate_down[0]:
                bottom[0].diff[...] = self.factor * top[0].diff

    class NoLayer(object):
        pass

    number = 3
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a module into a folder on sys.path; forgets all of them in the end."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(textwrap.dedent(text))
        importlib.invalidate_caches()

    yield write
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")) or name == "caffe":
            del sys.modules[name]


def layer(module: str, name: str, param_str: str = "2.5") -> str:
    return f'type: "Python" python_param {{ module: "{module}" layer: "{name}" param_str: "{param_str}" }}'


def error_of(text: str) -> LayerError:
    with pytest.raises(LayerError) as error:
        create_layer(parse(f'name: "mine" {text}'), TEST)
    assert "layer 'mine' (Python): " in str(error.value)
    return error.value


def test_a_users_layer_runs(write):
    write("my_layers/scale.py", SCALE)
    x = np.random.RandomState(0).standard_normal((2, 3)).astype(np.float32)
    runner = Runner(layer("my_layers.scale", "Scale"), [x])
    np.testing.assert_array_equal(runner.forward()[0], np.float32(2.5) * x)
    np.testing.assert_array_equal(runner.backward([x])[0], np.float32(2.5) * x)
    assert isinstance(runner.layer, Layer) and type(runner.layer).__name__ == "Scale"
    assert not any(name == "caffe" or name.startswith("caffe.") for name in sys.modules)


def test_the_same_class_for_two_layers_and_what_they_are_given(write):
    write("scale_twice.py", SCALE)
    text = 'name: "a" ' + layer("scale_twice", "Scale") + "phase: TEST"
    first, second = create_layer(parse(text), TEST), create_layer(parse(text), TEST, np.float64)
    assert type(first) is type(second)
    assert (first.name, first.phase, first.dtype, second.dtype) == ("a", TEST, np.float32, np.float64)


def test_submodules_that_are_loaded_can_be_imported_too(write):
    write(
        "uses_submodules.py",
        """
        import caffe.errors
        from caffe.layers.base import Layer

        class Mine(Layer):
            error = caffe.errors.LayerError
        """,
    )
    assert create_layer(parse(layer("uses_submodules", "Mine")), TEST).error is LayerError
    assert not any(name.startswith("caffe.") for name in sys.modules)


def test_a_real_caffe_is_not_hidden(write):
    write("caffe/__init__.py", "from caffe_compat.layers.base import Layer\nreal = True")
    write("asks_for_caffe.py", "import caffe\nclass Mine(caffe.Layer):\n    real = caffe.real")
    assert create_layer(parse(layer("asks_for_caffe", "Mine")), TEST).real
    assert sys.modules["caffe"].real


def test_a_mere_folder_named_caffe_is_none(write):
    write("caffe/README", "")
    write("beside_a_folder.py", "import caffe\nclass Mine(caffe.Layer):\n    caffe = caffe")
    assert create_layer(parse(layer("beside_a_folder", "Mine")), TEST).caffe is caffe_compat
    assert "caffe" not in sys.modules


OWN = "import caffe\n\n\nclass {}(caffe.Layer):\n    own = True\n"


@pytest.mark.parametrize(
    "module, name",
    [
        ("roi_data_layer.layer", "RoIDataLayer"),
        ("roi_data_layer.layer", "OHEMDataLayer"),
        ("rpn.proposal_layer", "ProposalLayer"),
        ("rpn.anchor_target_layer", "AnchorTargetLayer"),
        ("rpn.proposal_target_layer", "ProposalTargetLayer"),
    ],
)
def test_ones_own_comes_before_the_built_in_one(write, module, name):
    file = module.replace(".", "/") + ".py"
    text = layer(module, name, "'num_classes': 3, 'feat_stride': 16")
    assert not hasattr(create_layer(parse(text), TEST), "own")
    write(file.partition("/")[0] + "/__init__.py", "")
    write(file, OWN.format(name))
    with pytest.warns(UserWarning) as told:
        made = [create_layer(parse(text), TEST) for _ in range(2)]
    assert all(one.own and type(one).__module__ == module for one in made)
    assert len(told) == 1  # for two layers
    assert told[0].filename.endswith(file) and told[0].lineno == 4
    assert re.fullmatch(
        rf"{module}\.{name} is that of \S+{file}, not the one that is built in, and goes by its own configuration; for "
        "the built-in one, take the folder that holds the module off PYTHONPATH",
        str(told[0].message),
    )


def test_ones_own_module_that_does_not_serve_is_not_passed_over(write):
    """Why it cannot be used, in one line, and not the built-in layer in its place."""
    write("rpn/__init__.py", "")
    write("rpn/proposal_layer.py", "import caffe\nfrom skimage_of_mine import draw\n")
    error = error_of(layer("rpn.proposal_layer", "ProposalLayer"))
    assert (
        error.message
        == "layer 'mine' (Python): cannot import module 'rpn.proposal_layer': No module named 'skimage_of_mine'"
    )
    assert error.file is not None and (error.file.endswith("rpn/proposal_layer.py"), error.line) == (True, 2)
    write("rpn/anchor_target_layer.py", OWN.format("Other"))
    assert error_of(layer("rpn.anchor_target_layer", "AnchorTargetLayer")).message == (
        "layer 'mine' (Python): module 'rpn.anchor_target_layer' has no class 'AnchorTargetLayer'; its layers: "
        "['Other']; AnchorTargetLayer is built in: for it, take the folder that holds the module off PYTHONPATH"
    )
    write("rpn/proposal_target_layer.py", "print 'a'\n")
    assert (
        "Convert it: 2to3 -w" in error_of(layer("rpn.proposal_target_layer", "ProposalTargetLayer")).message
    )


def test_one_with_other_bottoms_or_tops_is_a_forks(write):
    text = 'bottom: "a" bottom: "b" top: "c" ' + layer("rpn.proposal_layer", "ProposalLayer")
    why = "no module 'rpn.proposal_layer' (the ProposalLayer that is built in has other bottoms or tops); put"
    assert why in error_of(text).message
    write("rpn/__init__.py", "")
    write("rpn/proposal_layer.py", "import caffe\nclass ProposalLayer(caffe.Layer): pass")
    with pytest.warns(UserWarning, match="rpn.proposal_layer.ProposalLayer is that of"):
        assert type(create_layer(parse(text), TEST)).__module__ == "rpn.proposal_layer"


def test_the_type_is_the_prototxts_and_what_is_computed_the_classs(write):
    write(
        "of_mine.py",
        """
        from caffe_compat.layers.relu import ReLU

        class Leaky(ReLU):
            pass
    """,
    )
    for text, computed in (
        (layer("roi_data_layer.layer", "OHEMDataLayer", "'num_classes': 21"), "HardRoIMining"),
        (layer("roi_data_layer.layer", "RoIDataLayer"), "RoIData"),
        (layer("rpn.proposal_layer", "ProposalLayer"), "ProposalLayer"),
        (layer("rpn.anchor_target_layer", "AnchorTargetLayer"), "Python"),
        (layer("of_mine", "Leaky"), "Python"),  # may compute something else
    ):
        made = create_layer(parse(text), TEST)
        assert (made.type, computed_type(made)) == ("Python", computed), text
    assert computed_type(create_layer(parse('type: "ReLU"'), TEST)) == "ReLU"


def test_other_types_are_created_by_name():
    assert create_layer(parse('type: "Softmax"'), TEST).type == "Softmax"
    assert {"Python", "Softmax", "HardRoIMining"} <= set(layer_type_list())


def test_missing_modules_and_classes(write):
    write("has_scale.py", SCALE)
    assert "there is no module 'nowhere_to_be_found'" in str(error_of(layer("nowhere_to_be_found", "A")))
    assert "there is no module 'has_scale.inner'" in str(error_of(layer("has_scale.inner", "A")))
    error = error_of(layer("has_scale", "Scales"))
    assert "module 'has_scale' has no class 'Scales'; its layers: ['Layer', 'Scale']" in str(error)
    assert error.file is not None and error.file.endswith("has_scale.py")
    for name in ("NoLayer", "number"):
        assert f"'has_scale.{name}' is no caffe.Layer" in str(error_of(layer("has_scale", name)))
    assert "needs both a module and a layer" in str(error_of('type: "Python" python_param { module: "os" }'))
    assert "needs both a module and a layer" in str(error_of('type: "Python"'))


def test_python_2_code(write):
    write("python2.py", "import caffe\n\nprint 'hello'\n")
    error = error_of(layer("python2", "A"))
    assert "cannot read module 'python2'" in str(error) and "Python 2" in str(error)
    assert error.file is not None and error.file.endswith("python2.py") and error.line == 3


def test_a_module_that_imports_what_is_not_there(write):
    write("wants_more.py", "import caffe\nfrom os import path\nimport no_such_thing\n")
    error = error_of(layer("wants_more", "A"))
    assert "cannot import module 'wants_more': No module named 'no_such_thing'" in str(error)
    assert error.file is not None and error.file.endswith("wants_more.py") and error.line == 3
    assert "caffe" not in sys.modules


def test_a_users_own_exception_passes_through(write):
    write("fails.py", "import caffe\nraise KeyError('mine')")
    with pytest.raises(KeyError, match="mine"):
        create_layer(parse(layer("fails", "A")), TEST)
    assert "caffe" not in sys.modules
