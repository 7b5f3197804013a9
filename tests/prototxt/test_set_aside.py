"""Fields that only choose how a fork computes: read over, whatever their values, and told in one line."""

import pytest

from caffe_compat.errors import PrototxtError
from caffe_compat.prototxt import caffe_pb2, refused_fields
from caffe_compat.prototxt.reader import parse_net, read_net, read_solver
from caffe_compat.prototxt.set_aside import set_aside_by

MESSAGES = caffe_pb2.DESCRIPTOR.message_types_by_name

LAYER = 'layer { name: "r" type: "ReLU" bottom: "x" top: "y" %s }'


def test_one_line_names_them_all():
    text = (
        "default_forward_type: FLOAT16\n"
        'layer { name: "r" type: "ReLU" relu_param { engine: MKL2017 negative_slope: 0.5 } forward_type: FLOAT }\n'
        'layer { name: "s" forward_type: FLOAT16 }'
    )
    with pytest.warns(UserWarning) as warned:
        net, source = parse_net(text, "net.prototxt")
    assert [str(one.message) for one in warned] == [
        "net.prototxt: set aside, as they only choose how NVCaffe computes or logs: default_forward_type (line 1), "
        "forward_type (line 2); set aside, as they only choose how Intel Caffe computes or logs: engine (line 2)"
    ]
    assert net.layer[0].relu_param.negative_slope == 0.5
    assert [layer.name for layer in net.layer] == ["r", "s"]
    assert source.where("layer", 1) == (3, 1)


@pytest.mark.parametrize(
    "value",
    [
        "forward_type: FLOAT",
        "forward_type: FLOAT, backward_type: FLOAT;",
        'quantization_param { a: [1, 2.5] b < c: "x" "y" > d: {} }',
        "quantization_param: { }",
        "debug: true",
    ],
)
def test_values_of_any_kind(value):
    with pytest.warns(UserWarning, match="set aside"):
        net, _ = parse_net(LAYER % value)
    assert net.layer[0].top == ["y"]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("forward_type: ", "1:68: expected a value of 'forward_type', found '}'"),
        ("quantization_param { a: [1 ", "1:72: the '{' of 'quantization_param' is never closed"),
    ],
)
def test_values_that_end_nowhere(value, error):
    with pytest.raises(PrototxtError) as raised:
        parse_net(LAYER % value, "f")
    assert str(raised.value) == f"f:{error}"


def test_a_known_engine_is_no_news(recwarn):
    parse_net(LAYER % "relu_param { engine: CUDNN }")
    assert not recwarn


def test_a_list_of_devices(tmp_path):
    path = tmp_path / "solver.prototxt"
    path.write_text('net: "n"\ndevice_id: [0, 1]\nmax_iter: 7\n')
    with pytest.warns(UserWarning, match=r"TSN computes or logs: device_id \(line 2\)"):
        solver, _ = read_solver(path)
    assert (solver.max_iter, solver.HasField("device_id")) == (7, False)


def test_bits_are_ristrettos_where_the_type_is(recwarn):
    text = 'layer { name: "c" type: "ConvolutionRistretto" quantization_param { bw_params: 4 fl_params: 3 } }'
    net, _ = parse_net(text)
    assert net.layer[0].quantization_param.bw_params == 4 and not recwarn
    with pytest.warns(UserWarning, match="how Intel Caffe computes or logs: quantization_param"):
        net, _ = parse_net(text.replace("Ristretto", ""))
    assert not net.layer[0].HasField("quantization_param")


def test_comments_may_be_in_any_encoding(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_bytes('# 网络\nname: "n" # 层\n'.encode("gbk") + b'layer { name: "a" }\n')
    net, source = read_net(path)
    assert (net.name, source.where("layer", 0)) == ("n", (3, 1))
    path.write_bytes(b'name: "n"\nlayer { name: "a\xc8" }\n')
    with pytest.raises(PrototxtError, match="2:17: byte 0xc8 is not UTF-8; save the file in this encoding"):
        read_net(path)
    path.write_bytes(b'name: "n"\n\xc8')
    with pytest.raises(PrototxtError, match="2:1: byte 0xc8 is not UTF-8"):
        read_net(path)


def test_a_field_is_known_or_set_aside_or_refused_but_not_two_of_them():
    known = {(name, field) for name, message in MESSAGES.items() for field in message.fields_by_name}
    refused = {(name, field) for name, field in refused_fields.fields() if field != "engine"}
    assert not known & refused
    assert {place for place in known if set_aside_by(*place) and place[1] != "engine"} == {
        ("SolverParameter", "device_id"),  # as a list
        ("LayerParameter", "quantization_param"),  # where the type is none of Ristretto's
    }
    assert not {place for place in refused if set_aside_by(*place)}
    assert {name for name, _ in refused} <= set(MESSAGES)
