"""Weights: written and read back, in all forms; what does not fit is refused and nothing is changed."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import python
from recordings import net_of

import caffe_compat as caffe
from caffe_compat import weights
from caffe_compat.errors import WeightsError
from caffe_compat.prototxt import wire
from caffe_compat.prototxt.caffe_pb2 import NetParameter

SMALL = """
name: "small"
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 5 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" } param { name: "b" }
        inner_product_param { num_output: 5 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" } param { name: "b" }
        inner_product_param { num_output: 5 } }
layer { name: "c" type: "InnerProduct" bottom: "b" top: "c" inner_product_param { num_output: 3 } }
"""


def filled(net, seed):
    rng = np.random.RandomState(seed)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = rng.standard_normal(blob.shape)
    return net


def same(a, b):
    return all(
        np.array_equal(x.data, y.data)
        for n in a.params
        for x, y in zip(a.params[n], b.params[n], strict=True)
    )


@pytest.mark.parametrize("name", ["w.caffemodel", "w.h5"])
def test_written_and_read_back(name, tmp_path):
    if name.endswith("h5"):
        pytest.importorskip("h5py")
    path = str(tmp_path / name)
    net, other = filled(net_of(SMALL), 1), net_of(SMALL)
    assert not same(net, other)
    net.save(path)
    report = other.copy_from(path)
    assert same(net, other)
    stored = ["a", "c"] if name.endswith("h5") else ["a", "b", "c"]  # HDF5 has a shared param once
    assert report.loaded == stored and report.shared == [n for n in "abc" if n not in stored]
    assert (report.filled, report.zero, report.ignored) == ([], [], [])
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_protobuf_reads_what_is_written(tmp_path):
    net = filled(net_of(SMALL), 2)
    net.save(tmp_path / "w.caffemodel")
    read = NetParameter.FromString((tmp_path / "w.caffemodel").read_bytes())
    assert read.name == "small"
    layers = {layer.name: layer for layer in read.layer}
    assert list(layers["a"].blobs[0].shape.dim) == [5, 5]
    np.testing.assert_array_equal(
        layers["b"].blobs[0].data, net.params["a"][0].data.ravel()
    )  # shared: written twice
    np.testing.assert_array_equal(layers["c"].blobs[1].data, net.params["c"][1].data)
    assert layers["a"].inner_product_param.num_output == 5


def test_report_of_a_file_with_other_layers(tmp_path):
    filled(net_of(SMALL.replace('name: "b" type', 'name: "other" type')), 3).save(tmp_path / "w.caffemodel")
    net = net_of(SMALL + 'layer { name: "d" type: "InnerProduct" bottom: "c" top: "d" '
                 'inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }')  # fmt: skip
    report = net.copy_from(tmp_path / "w.caffemodel")
    assert report.loaded == ["a", "c"]
    assert report.shared == ["b"]
    assert report.filled == ["d"]
    assert report.ignored == ["other"]


def test_shapes_that_do_not_fit(tmp_path):
    path = tmp_path / "w.caffemodel"
    filled(net_of(SMALL.replace("num_output: 3", "num_output: 4")), 4).save(path)
    net = filled(net_of(SMALL), 5)
    before = {name: [blob.data.copy() for blob in blobs] for name, blobs in net.params.items()}
    with pytest.raises(caffe.WeightsError) as error:
        net.copy_from(path)
    assert str(error.value) == (
        f"{path}: layer 'c', param 0: the net has shape (3, 5), the file (4, 5); "
        "rename the layer to train it from scratch, or make it like the one in the file"
    )
    for name, arrays in before.items():
        for blob, array in zip(net.params[name], arrays, strict=True):
            np.testing.assert_array_equal(blob.data, array)


@pytest.mark.parametrize("data", [b"", b"abc", b"\x89HDF\r\n\x1a\nxxxx", bytes(range(256)) * 9])
def test_files_that_are_no_weights(data, tmp_path):
    (tmp_path / "w.caffemodel").write_bytes(data)
    with pytest.raises(caffe.WeightsError, match=r"w\.caffemodel"):
        net_of(SMALL).copy_from(tmp_path / "w.caffemodel")


def test_a_missing_file(tmp_path):
    with pytest.raises(caffe.WeightsError, match="No such file"):
        net_of(SMALL).copy_from(tmp_path / "none.caffemodel")


@pytest.fixture(scope="module")
def model_bytes(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "w.caffemodel"
    filled(net_of(SMALL), 6).save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def small_net():
    return net_of(SMALL)


@settings(deadline=None)
@given(
    cut=st.integers(0, 10_000),
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6),
)
def test_mutated_files(cut, changes, model_bytes, small_net, tmp_path_factory):
    data = bytearray(
        model_bytes[: len(model_bytes) - cut % len(model_bytes) if cut % 3 == 0 else len(model_bytes)]
    )
    for place, value in changes:
        data[place % len(data)] = value
    path = tmp_path_factory.getbasetemp() / "mutated.caffemodel"
    path.write_bytes(data)
    try:
        small_net.copy_from(path)
    except caffe.WeightsError as error:
        assert "\n" not in str(error)


def test_share_with():
    net, other = filled(net_of(SMALL), 7), net_of(SMALL)
    other.share_with(net)
    net.params["c"][0].data[1, 2] = 42
    assert other.params["c"][0].data[1, 2] == 42


def test_wire_keeps_the_numbers_and_the_rest():
    net = NetParameter(name="n")
    layer = net.layer.add(name="l", type="T")
    layer.blobs.add(data=[1, 2, 3, 4], diff=[5, 6, 7, 8]).shape.dim.extend([2, 2])
    layer.blobs.add(double_data=[0.5, 0.25], num=1, width=2)
    net.layers.add(name="old").blobs.add(data=[9], channels=1)
    rest, blobs = wire.take_blobs(net.SerializeToString())
    assert [numbers.array().tolist() for numbers in blobs] == [
        [9],
        [1, 2, 3, 4],
        [0.5, 0.25],
    ]  # in the order of the field numbers
    stripped = NetParameter.FromString(rest)
    assert stripped.layer[0].name == "l" and list(stripped.layer[0].blobs[0].shape.dim) == [2, 2]
    assert not stripped.layer[0].blobs[0].data and stripped.layer[0].blobs[1].width == 2


def test_numbers_of_many_parts_and_pieces(monkeypatch, tmp_path):
    """Packed floats, floats one by one and doubles of a blob are one array, read a part at a time."""
    monkeypatch.setattr(wire, "_PART", 24)
    values = np.arange(31, dtype=np.float32) / 4
    one_by_one = b"".join(b"\x2d" + value.tobytes() for value in values[17:19])
    blob = (
        wire.length_delimited(5, 68) + values[:17].tobytes() + one_by_one
        + wire.length_delimited(8, 96) + values[19:].astype(np.float64).tobytes()
    )  # fmt: skip
    (tmp_path / "w.caffemodel").write_bytes(layer_bytes(b"a", (7, blob)))
    data = wire.bytes_of(str(tmp_path / "w.caffemodel"))
    _, (numbers,) = wire.take_blobs(data)
    np.testing.assert_array_equal(numbers.array(), values)
    out = np.full((31, 1), np.nan, np.float32)
    numbers.copy_to(out)
    np.testing.assert_array_equal(out[:, 0], values)


def test_a_file_that_is_cut_short_while_it_is_read(tmp_path):
    """Its numbers are read when they are copied; a mapped file would end the process here."""
    net, path = filled(net_of(SMALL), 11), tmp_path / "w.caffemodel"
    net.save(path)
    stored = weights.read(str(path))
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(WeightsError, match=r"w\.caffemodel: was cut short while it was read; get it again"):
        weights.copy_trained(net, stored, str(path))


def test_weights_come_through_a_pipe(tmp_path):
    net, other = filled(net_of(SMALL), 11), net_of(SMALL)
    net.save(tmp_path / "w.caffemodel")
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit((tmp_path / "pipe").write_bytes, (tmp_path / "w.caffemodel").read_bytes())
        other.copy_from(tmp_path / "pipe")
        written.result()
    assert same(net, other)


def test_weights_are_in_memory_once(tmp_path):
    for name, outputs in (("net", 5000), ("small", 5)):
        (tmp_path / f"{name}.prototxt").write_text(
            'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4000 } } }\n'
            'layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" '
            f"inner_product_param {{ num_output: {outputs} }} }}"
        )
    done = python(
        """
        import resource
        import caffe_compat as caffe

        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

        small = caffe.Net("small.prototxt", caffe.TEST)  # what it imports counts no more
        small.save("small.caffemodel")
        before = peak()
        net = caffe.Net("net.prototxt", caffe.TEST)
        net.params["a"][0].data[...] = 0.5
        net.save("w.caffemodel")
        filled = peak()
        net.copy_from("w.caffemodel")
        assert net.params["a"][0].data.min() == 0.5
        print(filled - before, peak() - before)
        """,
        cwd=tmp_path,
    )
    filled, loaded = map(float, done.stdout.split())
    assert 76 < filled < 85 and loaded < filled + 15  # the params are 76 MB


@pytest.mark.parametrize(
    "options", [{}, {"chunks": (2, 3), "compression": "gzip"}, {"dtype": "<f8"}, {"dtype": ">f4"}]
)
def test_hdf5_of_all_forms(options, tmp_path):
    h5py = pytest.importorskip("h5py")
    values = np.arange(15, dtype=np.float32).reshape(3, 5) / 4
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset("data/c/0", data=values, **options)
        file.create_dataset("data/c/1", data=values[:, 2])
    (stored,) = caffe.weights.read(str(tmp_path / "w.h5"))
    assert stored.name == "c"
    np.testing.assert_array_equal(stored.arrays[0], values)
    np.testing.assert_array_equal(stored.arrays[1], values[:, 2])


def test_names_with_slashes_in_hdf5(tmp_path):
    pytest.importorskip("h5py")
    text = SMALL.replace('name: "a" type', 'name: "inception/1x1" type')
    text = text.replace('name: "c" type', 'name: "inception" type')
    net, other = filled(net_of(text), 8), net_of(text)
    net.save(tmp_path / "w.h5")
    assert sorted(other.copy_from(tmp_path / "w.h5").loaded) == ["inception", "inception/1x1"]
    assert same(net, other)


def test_text_is_no_weights(tmp_path):
    (tmp_path / "net.prototxt").write_text(SMALL)
    with pytest.raises(
        caffe.WeightsError, match=r"this is text, a \.prototxt; expected a binary \.caffemodel"
    ):
        net_of(SMALL).copy_from(tmp_path / "net.prototxt")


def test_shared_params_stay_shared_with_another_net():
    net, other = net_of(SMALL), filled(net_of(SMALL.replace('name: "a" type', 'name: "elsewhere" type')), 9)
    net.share_with(other)  # the owner, layer a, is not there; layer b is
    other.params["b"][0].data[0, 1] = 7
    assert net.params["a"][0].data[0, 1] == net.params["b"][0].data[0, 1] == 7


def test_a_layer_that_renames_itself_keeps_its_name_in_the_net(tmp_path, monkeypatch):
    (tmp_path / "renaming.py").write_text(
        "import caffe\n"
        "class Layer(caffe.Layer):\n"
        "    def setup(self, bottom, top):\n"
        "        self.name = 'my own'\n"
        "        self.blobs.add_blob(2, 3)\n"
        "    def reshape(self, bottom, top):\n"
        "        top[0].reshape(4)\n"
        "    def forward(self, bottom, top):\n"
        "        top[0].data[...] = self.blobs[0].data.sum()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    text = SMALL + (
        'layer { name: "d" type: "Python" bottom: "c" top: "d" '
        'python_param { module: "renaming" layer: "Layer" } propagate_down: false }'
    )
    net, other = filled(net_of(text), 10), net_of(text)
    assert net.layer_names[-1] == "d" and list(net.params) == ["a", "b", "c", "d"]
    assert net.layers[-1].name == "my own" and net.layer_dict["d"] is net.layers[-1]
    np.testing.assert_array_equal(net.forward(start="d", end="d")["d"], [net.params["d"][0].data.sum()] * 4)
    net.save(tmp_path / "w.caffemodel")
    assert other.copy_from(tmp_path / "w.caffemodel").loaded == ["a", "b", "c", "d"]
    assert same(net, other)


@pytest.mark.parametrize(
    "name, message",
    [
        ("none/w.caffemodel", "there is no folder '{0}/none'; make it first"),
        (".", "this is a folder; name a file"),
    ],
)
def test_places_that_cannot_be_written(name, message, tmp_path):
    path = tmp_path / name
    with pytest.raises(caffe.CaffeCompatError) as error:
        net_of(SMALL).save(path)
    assert str(error.value) == f"{path}: cannot be written: {message.format(tmp_path)}"


RAW = {0: "<f8", 1: "<f4", 2: "<f2", 3: "<i4", 4: "<u4"}  # raw_data_type -> its numbers


def layer_bytes(name, *fields):
    """A LayerParameter with a name, a type and more fields (number, bytes), in the wire format."""
    fields = [(1, name), (2, b"InnerProduct"), *fields]
    inner = b"".join(wire.length_delimited(field, len(value)) + value for field, value in fields)
    return wire.length_delimited(100, len(inner)) + inner


@pytest.mark.parametrize("kind", RAW)
def test_raw_data(kind, tmp_path):
    """As NVCaffe and OpenCV write params of half precision: their type in field 10, their bytes in field 12."""
    values = np.array([[1.5, 2, 3], [4, 5, 6.25]]).astype(RAW[kind])
    shape = b"\x3a\x04\x0a\x02\x02\x03"
    blob = shape + bytes([10 << 3, kind]) + wire.length_delimited(12, values.nbytes) + values.tobytes()
    path = tmp_path / "raw.caffemodel"
    path.write_bytes(layer_bytes(b"a", (7, blob)))
    (stored,) = caffe.weights.read(str(path))
    assert stored.arrays[0].dtype == np.float32
    assert np.array_equal(stored.arrays[0], values.astype(np.float32))
    proto = caffe.proto.caffe_pb2.BlobProto.FromString(blob)
    assert np.array_equal(caffe.io.blobproto_to_array(proto), values.astype(np.float64))


@pytest.mark.parametrize(
    ("blob", "told"),
    [
        (b"\x50\x09" + wire.length_delimited(12, 4) + b"abcd", "raw_data_type 9 is unknown"),
        (b"\x50\x02" + wire.length_delimited(12, 3) + b"abc", "the numbers of a blob have a wrong length"),
    ],
)
def test_raw_data_that_cannot_be(blob, told, tmp_path):
    path = tmp_path / "raw.caffemodel"
    path.write_bytes(layer_bytes(b"a", (7, blob)))
    with pytest.raises(caffe.WeightsError, match=told):
        caffe.weights.read(str(path))


def test_other_forks_fields_do_not_matter(tmp_path):
    """CaffeOnSpark's field 10001 is a string; here it is the message of PSROIPooling."""
    blob = b"\x3a\x04\x0a\x02\x01\x02" + wire.length_delimited(5, 8) + np.float32([3, 4]).tobytes()
    path = tmp_path / "w.caffemodel"
    path.write_bytes(layer_bytes(b"a", (10001, b"com.example.Frames"), (7, blob), (125, b"\xff\xff")))
    (stored,) = caffe.weights.read(str(path))
    assert (stored.name, stored.arrays[0].tolist()) == ("a", [[3, 4]])


@pytest.mark.parametrize(("of_net", "of_file"), [("pspnet", "segnet"), ("segnet", "pspnet")])
def test_bn_in_another_form(of_net, of_file, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }\n'
        'layer { name: "n" type: "BN" bottom: "x" top: "y" }'
    )
    caffe.Net(path, caffe.TEST, dialect=of_file).save(str(tmp_path / "w.caffemodel"))
    net = caffe.Net(path, caffe.TEST, dialect=of_net)
    with pytest.raises(caffe.WeightsError, match=f"--dialect {of_file}"):
        net.copy_from(tmp_path / "w.caffemodel")
