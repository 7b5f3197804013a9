"""Python layers of the Python 2 era: what only changed its name runs, with one warning; what cannot says what to do."""

from __future__ import annotations

import re
import sys
import warnings

import numpy as np
import pytest
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.old_python import compile_file


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
        names: dict = {}
        exec(compile_file(str(path)), names)
    np_like = type("numpy", (), {"float": 3})
    assert names["load"](5, np_like) == [range(3), 5, 3, [(1, 2)]]


def test_lines_stay_what_they_were(tmp_path):
    path = tmp_path / "fails.py"
    path.write_text(
        "import numpy as np\n\n\ndef f(x):\n    return (np.float(x),\n            reduce(max, [x]).a.b)\n"
    )
    names: dict = {}
    with pytest.warns(UserWarning, match=r"line 5: np.float as float; line 6: reduce as reduce"):
        exec(compile_file(str(path)), names)
    with pytest.raises(AttributeError) as error:
        names["f"](3)
    assert error.traceback[-1].lineno + 1 == 6


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
