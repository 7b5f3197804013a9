"""What is written reads back equal, and looks as Caffe's own files do."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caffe_compat.errors import CaffeCompatError
from caffe_compat.prototxt import zoo
from caffe_compat.prototxt.caffe_pb2 import NetParameter
from caffe_compat.prototxt.reader import parse_net, read_binary_net, read_net, read_solver
from caffe_compat.prototxt.writer import net_text, write_binary, write_text

LEGACY = Path(__file__).parent.parent / "golden" / "legacy"


@pytest.mark.parametrize("file", sorted(LEGACY.glob("*.upgraded.prototxt")), ids=lambda file: file.name)
def test_as_caffe_writes(file: Path) -> None:
    """Byte for byte what Caffe's upgrade tools wrote."""
    message, _ = (read_solver if file.name.startswith("solver") else read_net)(file)
    assert net_text(message) == file.read_text()


@pytest.mark.parametrize("name", zoo.names())
def test_text_reads_back(name: str, tmp_path: Path) -> None:
    read = read_solver if name.endswith("solver") else read_net
    message, _ = read(zoo.path(name))
    write_text(message, tmp_path / "copy.prototxt")
    assert read(tmp_path / "copy.prototxt")[0] == message


def test_floats_are_short() -> None:
    net = NetParameter()
    net.layer.add(loss_weight=[0.1, 1, 1e-8, 16777216, 1 / 3, -0.5, 1e20, math.inf])
    lines = [line.strip() for line in net_text(net).splitlines()[1:-1]]
    numbers = "0.1 1 1e-08 16777216 0.33333334 -0.5 1e+20 inf".split()  # noqa: SIM905
    assert lines == [f"loss_weight: {number}" for number in numbers]


@given(st.integers(0, 2**32 - 1))
def test_every_float_reads_back(bits: int) -> None:
    (value,) = struct.unpack("f", struct.pack("I", bits))
    net = NetParameter()
    net.layer.add(loss_weight=[value])
    (back,) = parse_net(net_text(net))[0].layer[0].loss_weight
    assert struct.pack("f", back) == struct.pack("f", value) or (math.isnan(value) and math.isnan(back))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_string_reads_back(name: str) -> None:
    net = NetParameter(name=name)
    assert parse_net(net_text(net))[0] == net


def test_text_that_looks_like_a_whole_float_stays() -> None:
    net = NetParameter(name="x: 1.0\nlr_mult: 2.0")
    assert parse_net(net_text(net))[0] == net


def test_binary_reads_back(tmp_path: Path) -> None:
    net, _ = read_net(zoo.path("lenet"))
    net.layer[1].blobs.add(shape={"dim": [2, 3]}, data=[1, 2, 3, 4, 5, 0.1])
    write_binary(net, tmp_path / "lenet.caffemodel")
    assert read_binary_net(tmp_path / "lenet.caffemodel") == net


@pytest.mark.parametrize("write", [write_text, write_binary])
def test_a_failed_write_leaves_the_old_file(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "net"
    file.write_text("old")

    def full_disk(*_args) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(CaffeCompatError, match="No space left"):
        write(NetParameter(name="new"), file)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]
