"""Python layers of the Python 2 era: what only changed its name runs, with one warning; what cannot says what to do."""

from __future__ import annotations

import importlib
import re
import sys
import warnings

import numba
import numpy as np
import pytest
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.old_python import compile_file, module_globals, understood


def net_with(module: str, param_str: str = ""):
    return net_of(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'
        'layer { name: "old" type: "Python" bottom: "x" top: "y" python_param { '
        f'module: "{module}" layer: "Old" param_str: "{param_str}" }} }}'
    )


OLD = """\
import caffe
import cPickle
import numpy as np
import yaml
from StringIO import StringIO
from anchors import STEP


class Old(caffe.Layer):
    def setup(self, bottom, top):
        params = yaml.load(self.param_str_)
        self.scales = params['scales']
        assert isinstance(self.scales, tuple) and isinstance(u'', unicode) and isinstance(3, (int, long))
        assert not params.has_key('ratios') and cPickle.loads(cPickle.dumps(3)) == 3
        self.total = 0
        for name, scales in params.iteritems():
            for i in xrange(len(scales)):
                self.total += scales[i]

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        x = bottom[0].data.astype(np.float)
        assert np.zeros(2, dtype=np.bool).dtype.kind == 'b' and np.array([None], np.object)[0] is None
        top[0].data[...] = x * self.total + np.int(2.5) + STEP
"""
PARAMS = "scales: !!python/tuple [8, 16]"


def test_an_old_layer_runs_with_one_warning(write):
    write("old_layers/__init__.py", "")
    write("old_layers/anchors.py", "STEP = 16\n")
    path = write("old_layers/old.py", OLD)
    with pytest.warns(UserWarning) as found:
        net = net_with("old_layers.old", PARAMS)
    assert len(found) == 1 and found[0].filename == str(path) and found[0].lineno == 2
    text = str(found[0].message)
    assert (
        "line 2: module cPickle as pickle; line 5: module StringIO as io; line 6: module anchors as .anchors"
        in text
    )
    assert "line 11: yaml.load() with a safe Loader" in text and re.search(
        "; and [45] more$", text
    )  # numpy 2 has bool
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = net.forward(x=np.array([[1, 2, 3], [4, 5, 6]]))["y"]
    np.testing.assert_array_equal(out, [[42, 66, 90], [114, 138, 162]])
    assert not list(path.parent.rglob("__pycache__/old.*")) and "anchors" not in sys.modules
    assert not hasattr(np, "float")


def test_param_str_is_read_safely(write):
    write("reads_yaml.py", OLD.replace("from anchors import STEP", "STEP = 1"))
    with (
        pytest.warns(UserWarning),
        pytest.raises(Exception, match="could not determine a constructor") as error,
    ):
        net_with("reads_yaml", "!!python/object/apply:os.getcwd []")
    assert type(error.value).__name__ == "ConstructorError"


NEW = """\
import caffe
import numpy as np

try:
    xrange
except NameError:
    xrange = range
np.float = None


class Table(object):
    def iteritems(self):
        return [(1, 2)]


def load(long, numpy=np):
    yaml = Table()
    return [xrange(3), long, numpy.float, yaml.iteritems()]
"""


def test_what_a_module_defines_itself_is_left_alone(tmp_path):
    path = tmp_path / "new.py"
    path.write_text(NEW.replace("np.float = None\n", "").replace("import caffe\n", ""))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        names = module_globals()
        exec(compile_file(str(path)), names)
    np_like = type("numpy", (), {"float": 3})
    assert names["load"](5, np_like) == [range(3), 5, 3, [(1, 2)]]


def test_lines_stay_what_they_were(tmp_path):
    path = tmp_path / "fails.py"
    path.write_text(
        "import numpy as np\n\n\ndef f(x):\n    return (np.float(x),\n            reduce(max, [x]).a.b)\n"
    )
    names = module_globals()
    with pytest.warns(UserWarning, match=r"line 5: np.float as float; line 6: reduce as reduce"):
        exec(compile_file(str(path)), names)
    with pytest.raises(AttributeError) as error:
        names["f"](3)
    assert error.traceback[-1].lineno + 1 == 6


def run(folder, text: str) -> tuple[dict, list[str]]:
    """The names that a module has in the end, and what its one warning says of its lines."""
    path = folder / "module.py"
    path.write_text(text)
    names = module_globals()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        exec(compile_file(str(path)), names)
    assert len(found) <= 1
    return names, [line for one in found for line in str(one.message).split("words: ")[1].split("; ")]


UNCHANGED = """\
text = 'np.float' "d.iteritems()" \'\'\'
import cPickle
yaml.load(x) xrange \'\'\'
data = rb'np.bool'
# import cPickle; np.float, d.has_key(3), xrange
number = 1.  # np.int
import numpy as np
import yaml
formatted = f"np.float xrange .has_key(3) {number} {{np.float}}" + f'{number:>3}' + rf"\\d{number}np.bool"
class Chain:
    pass
a = Chain()
a.np, a.yaml = a, a
a.bool, a.float, a.load, a.xrange, a.unicode = 1, 2, len, 4, 5
chain = [a.np.bool, a. np.float, a.np.np.bool, a.xrange, a.yaml.load("xyz"), a.
         np.bool]
def called(**names):
    return names
names = called(long=1, unicode = 2, has_key=3)
args = ["[1, (2)]", yaml.SafeLoader]
loaded = [yaml.load(args[0], Loader=yaml.SafeLoader), yaml.load("[4]", yaml.SafeLoader),
          yaml.load(
              "".join(("{a", ": 3}")), Loader=yaml.SafeLoader)]
"""


def test_strings_comments_attributes_and_keywords_stay(tmp_path):
    names, said = run(tmp_path, UNCHANGED)
    assert said == []
    assert names["text"] == "np.floatd.iteritems()\nimport cPickle\nyaml.load(x) xrange "
    assert names["data"] == b"np.bool"
    assert names["formatted"] == "np.float xrange .has_key(3) 1.0 {np.float}1.0\\d1.0np.bool"
    assert names["chain"] == [1, 2, 1, 4, 3, 1]
    assert names["names"] == {"long": 1, "unicode": 2, "has_key": 3}
    assert names["loaded"] == [[1, "(2)"], [4], {"a": 3}]


@pytest.mark.parametrize(
    "text, value, said",
    [
        ("x = next({1: 2}.iteritems())", (1, 2), "line 1: .iteritems() as .items()"),
        ("x = [*{1: 2}.iterkeys( )]", [1], "line 1: .iterkeys() as .keys()"),
        ("d = ({1: 2}\n     .itervalues())\nx = list(d)", [2], "line 2: .itervalues() as .values()"),
        ("d = {(1, 'a,b'): 2}\nx = d.has_key((1, 'a,b'))", True, "line 2: .has_key() as in"),
        ("d = {1: 2}\nx = d.has_key(*[1]), d.has_key(2)", (True, False), "line 2: .has_key() as in"),
        ("d = {2: 1}\nx = d.has_key(\n    len('()'))", True, "line 2: .has_key() as in"),
        ("import numpy\nx = 1.\nx = numpy.Inf", np.inf, "line 3: numpy.Inf as numpy.inf"),
        ("import os, numpy as n; x = n.product([2, 3])", 6, "line 1: n.product as n.prod"),
        ("import os, \\\n    numpy as n\nx = n.float('3')", 3, "line 3: n.float as float"),
        ("import numpy as np\ndef f(x=np.float): return x\nx = f()", float, "line 2: np.float as float"),
        ("import yaml as y\nx = y.load('!!python/tuple [1]')", (1,), "line 2: yaml.load() with a safe Loader"),
        ("import yaml\na = '[1]', yaml.BaseLoader\nx = yaml.load(*a)", ["1"], "line 3: yaml.load() with a safe Loader"),
        ("import yaml\nx = yaml.load(str([1, len((2, 3))]))", [1, 2], "line 2: yaml.load() with a safe Loader"),
        ("import os, cPickle, Queue as q; x = cPickle.__name__, q.__name__, (1, os)[0]", ("pickle", "queue", 1),
         "line 1: module Queue as queue; line 1: module cPickle as pickle"),
        ("try: import cPickle as p\nexcept ImportError: p = 3\nx = p.__name__", "pickle",
         "line 1: module cPickle as pickle"),
        ("from os import \\\n    path\nfrom Queue import Queue\nx = Queue.__module__", "queue",
         "line 3: module Queue as queue"),
        ("\x0cx = 'é', xrange(2)", ("é", range(2)), "line 1: xrange as range"),
    ],
)  # fmt: skip
def test_what_is_replaced(tmp_path, text, value, said):
    names, found = run(tmp_path, text)
    assert names["x"] == value
    assert found == said.split("; ")


def test_f_strings(tmp_path):
    fields = "np.float {np.float(3)!r} {{np.float}} {dict().has_key(1)} {3:>{len([np.float])}} {xrange(2)}"
    names, said = run(tmp_path, f"import numpy as np\nx = fr'{fields}' 'np.float'")
    assert names["x"] == "np.float 3.0 {np.float} False 3 range(0, 2)np.float"
    assert said == ["line 2: .has_key() as in", "line 2: np.float as float", "line 2: xrange as range"]


def test_what_numpy_is_given_is_no_variable(tmp_path, monkeypatch):
    monkeypatch.setattr(np, "float", None, raising=False)
    monkeypatch.delattr(np, "float")
    text = "import numpy as np\nif not hasattr(np, 'float'): np.float = 3\nx = np.float == 3.5, 'float' in globals()"
    names, said = run(tmp_path, text)
    assert np.float == 3 and names["x"] == (False, False)
    assert said == ["line 3: np.float as float"]


def test_names_that_are_bound_elsewhere_in_the_module(tmp_path):
    text = "def f(long):\n    return long\ndef g(x):\n    return isinstance(x, long)\n"
    names, said = run(tmp_path, text)
    assert names["f"](3) == 3 and names["g"](3) and said == []


def test_numba_compiles_them(tmp_path):
    names, _ = run(tmp_path, "def f(n):\n    x = 0\n    for i in xrange(n):\n        x += i\n    return x\n")
    assert numba.njit(names["f"])(5) == 10


def test_encodings_and_the_compilers_own_warnings(tmp_path):
    path = tmp_path / "module.py"
    path.write_bytes("# coding: latin-1\nx = unicode('é\\d')\n".encode("latin-1"))
    names = module_globals()
    with pytest.warns() as found:
        exec(compile_file(str(path)), names)
    assert names["x"] == "é\\d"
    assert [one.lineno for one in found] == [2, 2] and "invalid escape" in str(found[1].message)


def test_siblings(write):
    write("old_package/__init__.py", "")
    write("old_package/steps.py", "STEP = 16\n")
    write("old_package/__main__.py", "")
    write("old_package/json.py", "")
    write(
        "old_package/uses.py",
        "import os, steps\nimport steps as s; from steps import STEP\nimport json, __main__",
    )
    told = r"line 1: module steps as .steps; line 2: module steps as .steps$"
    with pytest.warns(UserWarning, match=told), understood():
        uses = importlib.import_module("old_package.uses")
    assert uses.steps is uses.s is sys.modules["old_package.steps"] and uses.STEP == 16
    assert uses.json.loads("3") == 3 and uses.__main__ is sys.modules["__main__"]


@pytest.mark.parametrize(
    "code, line",
    [("print 'x'", 3), ("try:\n    pass\nexcept A, e:\n    pass", 5), ("a = `3`", 3), ("exec 'a'", 3)],
)
def test_what_cannot_be_helped(write, code, line):
    path = write("python2_only.py", f"import caffe\n\n{code}\n")
    with pytest.raises(caffe.CaffeCompatError) as error:
        net_with("python2_only")
    assert str(error.value).startswith(
        f"{path}:{line}: layer 'old' (Python): cannot read module 'python2_only': "
    )
    assert str(error.value).endswith(
        f"is it Python 2 code? Convert it: 2to3 -w {path} (2to3 comes with Python up to 3.12)"
    )


@pytest.mark.parametrize("code", ["if 1:\n        a = 1\n\tb = 2", "if 1:\n\ta = 1\n    b = 2"])
def test_tabs_and_blanks_are_no_matter_of_2to3(write, code):
    path = write("tabs.py", f"import caffe\n{code}\n")
    with pytest.raises(caffe.CaffeCompatError) as error:
        net_with("tabs")
    assert str(error.value).startswith(f"{path}:4: layer 'old' (Python): cannot read module 'tabs': ")
    assert f"mixes tabs and blanks, as Python 2 allowed: expand -t 8 {path} > {path}.new" in str(error.value)


def test_old_names_of_the_compiled_half(write):
    write(
        "old_names.py",
        "import caffe\nfrom caffe._caffe import Blob, BlobVec, RawBlobVec\nclass Old(caffe.Layer): pass",
    )
    net_with("old_names")


FLOATS = """
import numpy as np

x = np.zeros((3, 8), np.float32)
start, end, row = np.float32(2), 4., 1
d = {(1., 2.5): 'a'}
def ask(**of): return of
def pick(a): return np.random.choice(a, size=5 / 5., replace=False)


def fill():
    x[row, start:end] = 7
    x[:, int(end)] += x[0, np.float64(2):][0]
    return x[1, start + 1], x[..., -1], [start, end], d[1., 2.5], x[[0, 1], row], x[None, 0, row:end:row].shape
"""


def test_floats_as_indices(tmp_path):
    """Whole numbers are what they were for numpy; others, keys and lists stay as they are."""
    path = tmp_path / "floats.py"
    path.write_text(FLOATS)
    names = module_globals()
    exec(compile_file(str(path)), names)
    with pytest.warns(UserWarning, match="a float as an index or size is the int that it equals") as found:
        value, last, bounds, key, two, shape = names["fill"]()
        names["fill"]()
        assert names["pick"](np.arange(3)).shape == (1,)
    assert sorted(one.lineno for one in found) == [8, 12, 13, 14]  # once a line
    assert (value, bounds, key, shape) == (7, [np.float32(2), 4.0], "a", (1, 3)) and type(bounds[1]) is float
    np.testing.assert_array_equal(two, [0, 0])
    np.testing.assert_array_equal(names["x"][1], [0, 0, 7, 7, 0, 0, 0, 0])
    assert last.tolist() == [0, 0, 0]
    names["start"] = 2.5
    with pytest.raises(TypeError):
        names["fill"]()


def test_an_array_is_not_an_empty_list(tmp_path):
    path = tmp_path / "empty.py"
    path.write_text("def f(x):\n    return x == [], x != []\n")
    names = module_globals()
    exec(compile_file(str(path)), names)
    with pytest.warns(
        UserWarning, match=r"an array is not \[\], as for numpy up to 1.24; ask for its size"
    ) as found:
        assert names["f"](np.zeros((0, 5))) == names["f"](np.zeros(3)) == (False, True)
        assert names["f"](np.zeros(0)) == names["f"](np.zeros((4, 1))) == (False, False)  # which broadcast
    assert [(one.filename, one.lineno) for one in found] == [(str(path), 2)]
    assert names["f"]([]) == (True, False) and names["f"]([0]) == names["f"](()) == (False, True)


def test_pickles_in_text_files(tmp_path):
    path = tmp_path / "pickles.py"
    path.write_text(
        "import cPickle\nimport pickle as p\n"
        "with open(to, 'w') as f: cPickle.dump([3, 'e'], f)\n"
        "with open(to) as f: x = p.load(f)\n"
        "with open(to, 'rb') as f: y = p.load(f)\n"
        "with open(old, 'rb') as f: z = p.load(f)\n"
    )
    (tmp_path / "old.pkl").write_bytes(b"S'\\xe9'\n.")  # a str of Python 2
    names = {**module_globals(), "to": str(tmp_path / "a.pkl"), "old": str(tmp_path / "old.pkl")}
    with pytest.warns(UserWarning) as found:
        exec(compile_file(str(path)), names)
    assert [one.lineno for one in found if "open for text" in str(one.message)] == [3, 4]
    assert (names["x"], names["y"], names["z"]) == ([3, "e"], [3, "e"], "\xe9")
