"""Every error says what was found, where (line and column), and what would be right."""

from __future__ import annotations

import textwrap
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from caffe_compat.errors import PrototxtError
from caffe_compat.prototxt import zoo
from caffe_compat.prototxt.caffe_pb2 import NetParameter, SolverParameter
from caffe_compat.prototxt.reader import parse_net, read_binary_net, read_net, read_solver
from caffe_compat.prototxt.scanner import scan

LEGACY = Path(__file__).parent.parent / "golden" / "legacy"

ERRORS = {
    "misspelt field": (
        """\
        layer {
          name: "c"
          convolution_parm { num_output: 3 }
        }
        """,
        "net.prototxt:3:3: LayerParameter has no field 'convolution_parm'; did you mean 'convolution_param'?",
    ),
    "misspelt field inside": (
        'layer {\n\tlrn_param { alpha: 1  bta: 2 } }',
        "net.prototxt:2:24: LRNParameter has no field 'bta'; did you mean 'beta'?",
    ),
    "field that resembles none": (
        "state { xyzzy: 1 }",
        "net.prototxt:1:9: NetState has no field 'xyzzy'",
    ),
    "wrong enum value": (
        "layer { pooling_param { pool: MIN } }",
        "net.prototxt:1:31: 'pool' takes one of MAX, AVE, STOCHASTIC, AVE_EXC_PAD, AVE_TF, found 'MIN'",
    ),
    "enum in quotes": (
        'layer { pooling_param { pool: "MAX" } }',
        "net.prototxt:1:31: 'pool' takes one of MAX, AVE, STOCHASTIC, AVE_EXC_PAD, AVE_TF, found '\"MAX\"'",
    ),
    "brace missing in the middle": (
        'layer {\n  name: "a"\n  param { lr_mult: 1\n}\nlayer {\n  name: "b"\n}\n',
        "net.prototxt:5:1: LayerParameter has no field 'layer'; NetParameter has: is a '}' missing above?",
    ),
    "brace missing at the end": (
        'layer {\n  name: "a"\n  param { lr_mult: 1 }\n',
        "net.prototxt:1:7: the '{' of 'layer' is never closed; add a '}'",
    ),
    "brace too many": (
        'layer { name: "a" } }\n',
        "net.prototxt:1:21: found '}' where nothing is open; remove it, or add the opening brace above",
    ),
    "opening brace missing": (
        'layer\n  name: "a"\n}',
        "net.prototxt:2:3: expected '{' after 'layer', found 'name'",
    ),
    "another brace": ("layer { param < lr_mult: 1 } }", "net.prototxt:1:28: expected '>', found '}'"),
    "enum value of a fork": (
        "layer { eltwise_param { operation: DIV } }",
        "net.prototxt:1:36: 'operation' takes one of PROD, SUM, MAX, STOCHASTIC_SUM, found 'DIV'; "
        "Synopsys' Caffe has it, which is not built here",
    ),
    "string without quotes": (
        "layer { type: Convolution }",
        "net.prototxt:1:15: 'type' takes a string in quotes, found 'Convolution'",
    ),
    "string without end": (
        'layer {\n  name: "a\n}',
        "net.prototxt:2:9: this string does not end in its line; add the closing quote",
    ),
    "unknown escape": (
        r'layer { data_param { source: "C:\data" } }',
        r"net.prototxt:1:30: this string has an unknown escape; write \\ for a backslash",
    ),
    "escapes that are not UTF-8": (
        r'name: "\xff"',
        r"""net.prototxt:1:7: 'name' takes text in UTF-8, found '"\xff"'""",
    ),
    "string for a number": (
        'layer { lrn_param { alpha: "1" } }',
        "net.prototxt:1:28: 'alpha' takes a number, found '\"1\"'",
    ),
    "fraction for an integer": (
        "layer { convolution_param { num_output: 2.5 } }",
        "net.prototxt:1:41: 'num_output' takes an integer of at least 0, found '2.5'",
    ),
    "negative size": (
        "layer { convolution_param { kernel_size: -3 } }",
        "net.prototxt:1:42: 'kernel_size' takes an integer of at least 0, found '-3'",
    ),
    "out of range": (
        "layer {\n  convolution_param { num_output: 99999999999 }\n}",
        "net.prototxt:2:35: Value out of range: 99999999999",
    ),
    "number for a bool": (
        "layer { propagate_down: 2 }",
        "net.prototxt:1:25: 'propagate_down' takes true or false, found '2'",
    ),
    "given twice": (
        'layer {\n  name: "a"\n  type: "ReLU"\n  name: "b"\n}',
        "net.prototxt:4:3: 'name' is given twice, first in line 2; remove one",
    ),
    "a size of each axis": (
        'layer { name: "p" type: "Pooling" pooling_param { stride: 1 stride: 2 kernel_h: 3 } }',
        "net.prototxt:1:51: layer 'p' (Pooling): give stride or kernel_h, not both",
    ),
    "a size of each axis of another type": (
        'layer { name: "p" type: "Pool" pooling_param { stride: 1 stride: 2 } }',
        "net.prototxt:1:48: layer 'p' (Pool): only type Pooling has a stride for each axis",
    ),
    "message given twice": (
        "layer { lrn_param { k: 1 } lrn_param { beta: 2 } }",
        "net.prototxt:1:28: 'lrn_param' is given twice, first in line 1; remove one",
    ),
    "no colon": ('layer { name "a" }', "net.prototxt:1:14: expected ':' after 'name', found '\"a\"'"),
    "no value": (
        "layer { name: }",
        "net.prototxt:1:15: 'name' takes a string in quotes, found '}'",
    ),
    "cut off": (
        "layer { name:",
        "net.prototxt:1:14: 'name' takes a string in quotes, found the end of the file",
    ),
    "list of one": ("layer { name: ['a'] }", "net.prototxt:1:15: 'name' takes a string in quotes, found '['"),
    "list without comma": (
        "layer { top: ['a' 'b', 'c' 3] }",
        "net.prototxt:1:28: expected ',' or ']' in the list of 'top', found '3'",
    ),
    "no field name": ("3: 4", "net.prototxt:1:1: expected the name of a field, found '3'"),
    "stray character": ("layer { name: 'a' } $", "net.prototxt:1:21: unexpected character '$'"),
    "template": (
        "layer { convolution_param { num_output: ${LABELS} } }",
        "net.prototxt:1:41: '${LABELS}' stands for what a script puts there; write the value",
    ),
    "template of a shell": (
        "layer { convolution_param { num_output: $LABELS } }",
        "net.prototxt:1:41: '$LABELS' stands for what a script puts there; write the value",
    ),
    "template of make": (
        "layer { convolution_param { num_output: $(LABELS) } }",
        "net.prototxt:1:41: '$(LABELS)' stands for what a script puts there; write the value",
    ),
    "missing required field": (
        'layer {\n  name: "clip"\n  clip_param { min: 0 }\n}',
        "net.prototxt:3:3: 'clip_param' needs the field 'max'; add it",
    ),
    "empty": ("", "net.prototxt: nothing is in it; expected a NetParameter"),
    "only a comment": ("# net\n", "net.prototxt: nothing is in it; expected a NetParameter"),
    "deep nesting": (
        "layer {" * 100_000,
        "net.prototxt:1:8: LayerParameter has no field 'layer'; NetParameter has: is a '}' missing above?",
    ),
}  # fmt: skip


@pytest.mark.parametrize("text, message", ERRORS.values(), ids=list(ERRORS))
def test_message(text: str, message: str) -> None:
    with pytest.raises(PrototxtError) as caught:
        parse_net(textwrap.dedent(text), "net.prototxt")
    assert str(caught.value) == message


def test_file_line_and_column_are_attributes(tmp_path: Path) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text("\n\n  layers_ {}")
    with pytest.raises(PrototxtError) as caught:
        read_net(file)
    assert (caught.value.file, caught.value.line, caught.value.column) == (str(file), 3, 3)


def test_files_of_another_kind(tmp_path: Path) -> None:
    def message(reader, data: bytes) -> str:
        file = tmp_path / "file"
        file.write_bytes(data)
        with pytest.raises(PrototxtError) as caught:
            reader(file)
        assert caught.value.file == str(file)
        return str(caught.value).removeprefix(f"{file}:")

    model = (LEGACY / "legacy_v1.caffemodel").read_bytes()
    text = (LEGACY / "v1_small.prototxt").read_bytes()
    broken = " this is no .caffemodel, or a part of it is missing; get the file again and compare its size"
    assert message(read_net, model) == (
        " this is a binary file, a .caffemodel perhaps; expected a .prototxt, which is text"
    )
    assert (
        message(read_net, b'layer {\n name: "\xe4" }')
        == "2:9: byte 0xe4 is not UTF-8; save the file in this encoding"
    )
    assert message(read_net, b"") == " nothing is in it; expected a NetParameter"
    assert message(read_solver, b" \n") == " nothing is in it; expected a SolverParameter"
    assert message(read_binary_net, text) == " this is text, a .prototxt; expected a binary .caffemodel"
    assert message(read_binary_net, b"") == " the file is empty; expected a .caffemodel"
    assert message(read_binary_net, model[:-1]) == broken
    assert message(read_binary_net, b"\x89HDF\r\n\x1a\n" + bytes(100)) == broken
    assert message(read_binary_net, b"\xff" * 50) == broken
    assert message(read_binary_net, model.replace(b"extra", b"\xe4\xe4\xe4\xe4\xe4")) == broken


@pytest.mark.parametrize("reader", [read_net, read_solver, read_binary_net])
def test_missing_file(reader, tmp_path: Path) -> None:
    with pytest.raises(PrototxtError, match=r"no\.prototxt: cannot be read: No such file or directory"):
        reader(tmp_path / "no.prototxt")
    with pytest.raises(PrototxtError, match="cannot be read: Is a directory"):
        reader(tmp_path)


def test_more_than_protobuf_can_read(tmp_path: Path) -> None:
    file = tmp_path / "large.caffemodel"
    with open(file, "wb") as handle:
        handle.truncate(2**31)  # a hole: takes no room
    with pytest.raises(PrototxtError, match="over 2 GiB, more than protobuf can read"):
        read_binary_net(file)


def test_all_that_text_format_allows() -> None:
    net, source = parse_net("""
        name: "a" 'b'  # one string
        layer: < name: 'q\\"uo\\'te\\x41', bottom: ["x", "y"]; loss_weight: [1, 2., .5, 3e-1f, -inf]
                 include: { phase: TEST }, propagate_down: t propagate_down: 0 >
        layer { convolution_param { kernel_size: 0x10 pad: [] pad: 010 engine: 1 } }
        layer [ { name: "m" }, { name: "n" } ]
        force_backward: True
        """)
    want = NetParameter(name="ab", force_backward=True)
    first = want.layer.add(name="q\"uo'teA", bottom=["x", "y"], propagate_down=[True, False])
    first.loss_weight.extend([1, 2, 0.5, 0.3, float("-inf")])
    first.include.add(phase="TEST")
    want.layer.add(convolution_param={"kernel_size": [16], "pad": [8], "engine": 1})
    want.layer.add(name="m")
    want.layer.add(name="n")
    assert net == want
    assert source.where("layer", 0, "bottom", 1) == (3, 55)
    assert source.where("layer", 3)[0] == 6


FILES = [*sorted(LEGACY.glob("*.prototxt")), *(zoo.path(name) for name in zoo.names())]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_protobuf_reads_the_same(file: Path) -> None:
    text = file.read_text()
    for schema in (NetParameter, SolverParameter):
        with suppress(text_format.ParseError):
            want = text_format.Parse(text, schema())
            message = schema()
            scan(text, message)
            assert message == want
            return
    raise AssertionError("neither a net nor a solver")


def test_the_first_fault_of_a_text_is_told() -> None:
    for text, message in (
        ("xyzzy: 1 $", "net:1:1: NetParameter has no field 'xyzzy'"),
        ("name: 'a' $ xyzzy: 1", "net:1:11: unexpected character '$'"),
        (r"dummy: { x: '\q' } xyzzy: 1", "net:1:1: NetParameter has no field 'dummy'"),
        (
            r"layer { x_param: { y: '\q' } } xyzzy: 1",
            "net:1:23: this string has an unknown escape; write \\\\ for a backslash",
        ),
    ):
        with pytest.raises(PrototxtError) as caught:
            parse_net(text, "net")
        assert str(caught.value) == message


@pytest.mark.parametrize(
    "text, want",
    [
        ("lr_mult: 1e3f", 1e3), ("lr_mult: -.5F", -0.5), ("lr_mult: +2", 2), ("lr_mult: -Infinity", -np.inf),
        ("lr_mult: INF", np.inf), ("lr_mult: 0", 0), ("lr_mult: 0.25", 0.25), ("lr_mult: 1e99", np.inf),
    ],
)  # fmt: skip
def test_numbers(text: str, want: float) -> None:
    net, _ = parse_net(f"layer {{ param {{ {text} }} }}")
    assert net.layer[0].param[0].lr_mult == want


def test_text_that_was_a_number() -> None:
    """OpenPose's first training files give a number where later ones have text."""
    param = "layer { op_transform_param { number_max_occlusions: %s } }"
    for given, want in (("2", "2"), ('"2;0"', "2;0")):
        net, _ = parse_net(param % given)
        assert net.layer[0].op_transform_param.number_max_occlusions == want
    with pytest.raises(PrototxtError, match=r"takes a string in quotes, found '2\.5'"):
        parse_net(param % "2.5")


@pytest.mark.parametrize("number", ["010", "1_0", "0x10", "1.2.3", "1e", "ff", "-x"])
def test_what_is_no_number(number: str) -> None:
    with pytest.raises(PrototxtError, match=f"1:26: 'lr_mult' takes a number, found '{number}"):
        parse_net(f"layer {{ param {{ lr_mult: {number} }} }}")


def test_byte_order_mark_and_windows_lines(tmp_path: Path) -> None:
    file = tmp_path / "net.prototxt"
    file.write_bytes('\ufefflayer {\r\n  name: "\u00e4"\r\n  tpye: "x"\r\n}'.encode())
    with pytest.raises(PrototxtError) as caught:
        read_net(file)
    assert (caught.value.line, caught.value.column) == (3, 3)


def test_places_of_a_net() -> None:
    _, source = parse_net(
        textwrap.dedent("""\
        name: "net"
        layer { name: "a" propagate_down: true propagate_down: false }

        layer {
          lrn_param {
            beta: 2
          }
        }
        """),
        "net.prototxt",
    )
    assert source.name == "net.prototxt"
    assert [source.where("layer", i) for i in range(3)] == [(2, 1), (4, 1), None]
    assert source.where("layer", 0, "propagate_down", 1) == (2, 40)
    assert source.where("layer", 1, "lrn_param") == (5, 3)
    assert source.where("layer", 1, "lrn_param", "beta") == (6, 5)
    assert source.where("layer", 1, "lrn_param", "alpha") is None
    assert source.where("layer", 2, "name") is None
    assert source.where("name") == (1, 1)


def test_places_of_upgraded_layers() -> None:
    """The Input layer stands where the first input does; the layers after a removed padding layer move up."""
    net, source = read_net(LEGACY / "v0_small.prototxt")
    assert [layer.name for layer in net.layer] == ["input", "c1", "r1", "p1", "n1", "ip", "d", "s"]
    assert [source.where("layer", i)[0] for i in range(8)] == [2, 4, 5, 6, 7, 8, 9, 10]
    assert source.where("layer", 1, "bottom", 0) == (4, 255)
    assert source.where("layer", 1, "convolution_param", "num_output") is None


def test_solver_places() -> None:
    _, source = read_solver(zoo.path("vgg_cnn_m_1024_fast_rcnn_ohem_solver"))
    assert source.where("iter_size") == (4, 1)


def test_binary_of_the_first_layers() -> None:
    net = read_binary_net(LEGACY / "legacy_v1.caffemodel")
    assert [(layer.name, layer.type, len(layer.blobs)) for layer in net.layer] == [
        ("c1", "Convolution", 2),
        ("ip", "InnerProduct", 2),
        ("extra", "ReLU", 0),
    ]
    assert (net.layer[0].blobs[0].num, len(net.layer[0].blobs[0].data)) == (4, 4 * 3 * 3 * 3)


def test_a_solver_is_no_net_and_a_net_no_solver(tmp_path):
    (tmp_path / "net.prototxt").write_text("layer { }")
    with pytest.raises(
        PrototxtError, match=r"NetParameter has no field 'base_lr'; is this a solver, not a net\?$"
    ):
        parse_net("base_lr: 0.1")
    with pytest.raises(
        PrototxtError, match=r"SolverParameter has no field 'layer'; is this a net, not a solver\?$"
    ):
        read_solver(tmp_path / "net.prototxt")


def test_an_input_without_a_shape():
    with pytest.raises(
        PrototxtError, match=r"2:1: input 'x' has no shape; give it input_shape { dim: \.\.\. }"
    ):
        parse_net('name: "n"\ninput: "x"\nlayer { name: "r" type: "ReLU" bottom: "x" top: "y" }')
