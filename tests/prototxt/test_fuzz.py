"""Damaged files raise nothing but PrototxtError."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caffe_compat.errors import PrototxtError
from caffe_compat.prototxt import zoo
from caffe_compat.prototxt.caffe_pb2 import NetParameter
from caffe_compat.prototxt.reader import read_binary_net, read_net, read_solver

GOLDEN = Path(__file__).parent.parent / "golden"
TEXTS = [
    file.read_bytes()
    for file in [*sorted((GOLDEN / "legacy").glob("*.prototxt")), *(zoo.path(name) for name in zoo.names())]
]
MODELS = [
    (GOLDEN / "legacy" / "legacy_v1.caffemodel").read_bytes(),
    NetParameter(name="empty").SerializeToString(),
]
# pieces that mean something in a prototxt or on the wire
PIECES = [
    *(bytes([byte]) for byte in b"{}<>[]:,;#\"'\\\n\0-\xff"),
    *b"layer layers input type MAX nan -1 1e999 99999999999999999999".split(),
    *(b"layer {", b"clip_param {}", b"input_dim: 3"),
    *(b"\xc3\x28", b"\x80" * 10 + b"\x01"),  # not UTF-8; a varint that is too long
    b"\x0a\x7f",  # a length that leads past the end
]

fuzz = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def damaged(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """One of the originals with a few bytes changed, cut, inserted, moved or doubled, or cut short."""
    data = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(1, 4))):
        a, b = sorted(draw(st.tuples(*[st.integers(0, len(data))] * 2)))
        b = min(b, a + draw(st.sampled_from([0, 1, 2, 8, 40, 1000])))
        new = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=4), st.just(b"")))
        if draw(st.booleans()):
            new = data[a:b] + new + data[a:b]
        data = data[:a] + new + data[b:]
    return data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 4)) == 0 else data


@st.composite
def shuffled_lines(draw: st.DrawFn) -> bytes:
    """One of the texts with lines missing, doubled or in another order."""
    lines = draw(st.sampled_from(TEXTS)).splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 5))):
        i, j = draw(st.tuples(*[st.integers(0, len(lines) - 1)] * 2))
        change = draw(st.sampled_from(["swap", "drop", "copy"]))
        if change == "swap":
            lines[i], lines[j] = lines[j], lines[i]
        elif change == "copy":
            lines.insert(j, lines[i])
        elif len(lines) > 1:
            del lines[i]
    return b"".join(lines)


def _read(reader, data: bytes, folder: Path) -> None:
    file = folder / "file"
    file.write_bytes(data)
    with suppress(PrototxtError):
        reader(file)


@fuzz
@given(damaged(TEXTS))
def test_damaged_text(tmp_path: Path, data: bytes) -> None:
    for reader in (read_net, read_solver, read_binary_net):
        _read(reader, data, tmp_path)


@fuzz
@given(shuffled_lines())
def test_shuffled_lines(tmp_path: Path, data: bytes) -> None:
    _read(read_net, data, tmp_path)


@fuzz
@given(damaged(MODELS))
def test_damaged_models(tmp_path: Path, data: bytes) -> None:
    for reader in (read_binary_net, read_net):
        _read(reader, data, tmp_path)


def test_every_truncation(tmp_path: Path) -> None:
    """A file that ends early is an error, or, where it ends between two fields, a shorter net."""
    model, _ = MODELS
    whole = NetParameter.FromString(model)
    for end in range(len(model)):
        (tmp_path / "file").write_bytes(model[:end])
        with suppress(PrototxtError):
            assert len(read_binary_net(tmp_path / "file").layer) < len(whole.layers)
