"""Trained weights: .caffemodel files of all generations and HDF5, read and written, matched to layers by name.

Source: Caffe's Net::CopyTrainedLayersFrom, Net::ToProto, Net::ToHDF5, Blob::FromProto.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.errors import PrototxtError, WeightsError
from caffe_compat.files import replacing
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.hdf5_files import opened
from caffe_compat.layers.common.optional_import import optional_import
from caffe_compat.learnable_params import Param
from caffe_compat.prototxt import blob_proto, wire
from caffe_compat.prototxt.caffe_pb2 import BlobProto, NetParameter
from caffe_compat.prototxt.reader import not_binary, parse_binary_net

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
RENAME = "rename the layer to train it from scratch, or make it like the one in the file"
Instead = Mapping[str, Sequence[np.ndarray]]
_NET_NAME, _NET_LAYER, _LAYER_BLOBS = 1, 100, 7  # field numbers of caffe.proto


class HasParams(Protocol):
    """What is asked of a net here; see Net."""

    name: str
    param: NetParameter
    layers: list[Layer]
    layer_names: list[str]
    layer_dict: OrderedDict[str, Layer]
    learnable: list[Param]


@dataclass
class Stored:
    """A layer's params as a file has them, by param index."""

    name: str
    numbers: dict[int, wire.Numbers]

    @property
    def arrays(self) -> dict[int, np.ndarray]:
        """Arrays of them, float32."""
        return {j: numbers.array() for j, numbers in self.numbers.items()}


@dataclass
class Report:
    """What a weights file gave a net. Layer names; `filled` and `zero` are of layers that the file does not have."""

    file: str
    loaded: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)  # not in the file, but shares its params with one that is
    filled: list[str] = field(default_factory=list)  # as the fillers left it
    zero: list[str] = field(default_factory=list)  # every param is still zero
    ignored: list[str] = field(default_factory=list)  # in the file, but not in the net

    def after(self, earlier: Sequence[Report]) -> Report:
        """The report where other files were copied into the net before: what these gave, no filler did."""
        given = {name for one in earlier for name in (*one.loaded, *one.shared)}
        filled, zero = ([name for name in names if name not in given] for names in (self.filled, self.zero))
        return replace(self, filled=filled, zero=zero)


# ---- reading --------------------------------------------------------------------------------------------------


def read(path: str) -> list[Stored]:
    """Read the params of a .caffemodel (V0, V1 or today's) or of an HDF5 file. Raises WeightsError.

    The numbers stay in the file until they are copied; a file that is cut short meanwhile is a WeightsError then.
    """
    try:
        data = wire.bytes_of(path)
    except OSError as error:
        raise WeightsError(f"cannot read the weights: {error.strerror}", file=path) from error
    return _read_hdf5(data, path) if data[: len(HDF5_MAGIC)] == HDF5_MAGIC else _read_binary(data, path)


def _read_binary(data: wire.Data, path: str) -> list[Stored]:
    try:
        rest, blobs = wire.take_blobs(data)
        net = parse_binary_net(rest, path)
    except wire.WireError as error:
        raise WeightsError(f"{not_binary(data)} ({error})", file=path) from error
    except PrototxtError as error:
        raise WeightsError(error.message, file=path) from error
    following = iter(blobs)
    return [
        Stored(
            layer.name,
            {
                j: shaped(blob, next(following), f"layer '{layer.name}'", path)
                for j, blob in enumerate(layer.blobs)
            },
        )
        for layer in net.layer
        if layer.blobs
    ]


def shaped(blob: BlobProto, numbers: wire.Numbers, owner: str, path: str) -> wire.Numbers:
    """The numbers of a BlobProto in its shape, flat where it tells none.

    Raises WeightsError, with `owner`, where they do not match.
    """
    if not blob_proto.has_shape(blob):
        return numbers
    try:
        return numbers.reshape(blob_proto.shape_for(blob, numbers.size))
    except ValueError as error:
        raise WeightsError(f"{owner}: a blob has {error}", file=path) from error


def _read_hdf5(data: wire.Data, path: str) -> list[Stored]:
    h5py = import_h5py()
    try:
        with opened(h5py, path) as file:
            layers: dict[str, dict[int, wire.Numbers]] = {}

            def collect(path: str, item: object) -> None:  # a layer's name may have slashes, each a group
                if isinstance(item, h5py.Dataset):
                    name, _, index = path.rpartition("/")
                    layers.setdefault(name, {})[int(index)] = _numbers(data, item)

            file["data"].visititems(collect)
            return [Stored(name, numbers) for name, numbers in layers.items()]
    except (OSError, ValueError) as error:
        raise WeightsError(f"this is no HDF5 file of Caffe weights ({error})", file=path) from error


def _numbers(data: wire.Data, item: Any) -> wire.Numbers:
    """Those of an HDF5 dataset: where they stand in the file, if they do as they are."""
    offset = item.id.get_offset()
    if offset is None or item.dtype != np.dtype("<f4"):
        array = np.asarray(item, "<f4", order="C")
        return wire.Numbers(array.data, [(0, array.nbytes, "<f4")], array.shape)
    return wire.Numbers(data, [(offset, offset + item.nbytes, "<f4")], item.shape)


def import_h5py():
    """The module h5py. Raises WeightsError where it is not installed."""
    return optional_import(WeightsError, "h5py", "h5")


# ---- into a net -----------------------------------------------------------------------------------------------


def copy_trained(net: HasParams, stored: Sequence[Stored], path: str) -> Report:
    """Copy params into the layers of the same name; nothing is copied unless all fits. Raises WeightsError."""
    report, owners = Report(path), _owners(net)
    copies: list[tuple[Blob, wire.Numbers]] = []
    for source in stored:
        if source.name not in net.layer_dict:
            if source.numbers:
                report.ignored.append(source.name)
            continue
        copies += _matched(net, source, owners, path)
        if source.numbers:
            report.loaded.append(source.name)
    for blob, numbers in copies:
        numbers.copy_to(blob.data)
    _report_rest(net, report)
    return report


def _matched(
    net: HasParams, source: Stored, owners: set[tuple[str, int]], path: str
) -> list[tuple[Blob, wire.Numbers]]:
    blobs = net.layer_dict[source.name].blobs
    missing = [j for j in range(len(blobs)) if j not in source.numbers and (source.name, j) in owners]
    if missing or any(j >= len(blobs) for j in source.numbers):
        raise WeightsError(
            f"layer '{source.name}' has {len(blobs)} param(s), the file has {len(source.numbers)} for it; "
            f"{_other_form(net, source) or RENAME}",
            file=path,
        )
    for j, numbers in source.numbers.items():
        if not fits(numbers.shape, blobs[j].shape):
            raise WeightsError(
                f"layer '{source.name}', param {j}: the net has shape {blobs[j].shape}, the file {numbers.shape}; "
                f"{RENAME}",
                file=path,
            )
    return [(blobs[j], numbers) for j, numbers in source.numbers.items()]


def _other_form(net: HasParams, source: Stored) -> str | None:
    """The way out where a BN is in one form in the net, and in the other in the file."""
    counts = len(net.layer_dict[source.name].blobs), len(source.numbers)
    if net.layer_dict[source.name].type != "BN" or sorted(counts) != [2, 4]:
        return None
    dialect = "segnet" if counts[1] == 2 else "pspnet"
    return f"2 are of SegNet's BN, 4 of PSPNet's: --dialect {dialect}, or Net(..., dialect='{dialect}')"


def _owners(net: HasParams) -> set[tuple[str, int]]:
    """The params (layer, index) that are a layer's own, or shared by later ones, and no earlier layer's."""
    uses = (param.uses[0] for param in net.learnable)
    return {(net.layer_names[i], j) for i, j in uses}


def fits(stored: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Equal, or one of the two is an old shape, of 4 axes or C3D's of 5, that has the other's dims at its end and ones
    in front; or the net's has ones behind, as those of PSPNet's BN, which are 1 x C in the files of its Caffe.
    """

    def stripped(dims: tuple[int, ...]) -> tuple[int, ...]:
        while len(dims) > 1 and dims[0] == 1:
            dims = dims[1:]
        return dims

    if stored == shape or (len(stored) == 2 and stored[0] == 1 and shape == (*stored, 1, 1)):
        return True
    return len(stored) in (4, 5) and len(shape) <= 4 and stripped(stored) == stripped(shape)


def _report_rest(net: HasParams, report: Report) -> None:
    loaded = {id(net.layer_dict[name]) for name in report.loaded}
    places = {place: param for param in net.learnable for place in param.uses}
    for name, layer in net.layer_dict.items():
        if not layer.blobs or id(layer) in loaded:
            continue
        i = net.layers.index(layer)
        uses = [places[i, j].uses for j in range(len(layer.blobs))]
        if all(any(id(net.layers[k]) in loaded for k, _ in shared) for shared in uses):
            report.shared.append(name)
        elif any(blob.data.any() for blob in layer.blobs):
            report.filled.append(name)
        else:
            report.zero.append(name)


def share_trained(net: HasParams, other: HasParams) -> None:
    """Let each param use the memory of the other net's layer of the same name, all its uses alike.

    Raises WeightsError where the shapes differ; then nothing is shared.
    """
    pairs: list[tuple[Blob, Blob]] = []
    for param in net.learnable:
        names = [(net.layer_names[i], j) for i, j in param.uses]
        found = next(((name, j) for name, j in names if name in other.layer_dict), None)
        if found is None:
            continue
        name, j = found
        theirs = other.layer_dict[name].blobs
        for i, k in param.uses:
            mine = net.layers[i].blobs[k]
            if j >= len(theirs) or theirs[j].shape != mine.shape:
                shape = theirs[j].shape if j < len(theirs) else "none"
                raise WeightsError(
                    f"layer '{name}', param {j}: this net has shape {mine.shape}, the other one {shape}; "
                    "only equal ones can be shared"
                )
            pairs.append((mine, theirs[j]))
    for mine, their in pairs:
        mine.share_data(their)


# ---- writing --------------------------------------------------------------------------------------------------


def write(net: HasParams, path: str) -> None:
    """Write the params of a net: HDF5 where the name ends in .h5, else a .caffemodel."""
    if path.endswith((".h5", ".hdf5")):
        write_hdf5(net, path)
    else:
        write_binary(net, path)


def write_binary(net: HasParams, path: str, diffs: bool = False, instead: Instead | None = None) -> None:
    """Write a .caffemodel: every layer with its params, a shared one with each of its layers.

    diffs: the params' diffs too. instead: layer name -> arrays to write in place of its params.
    """
    name = net.name.encode()
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(wire.length_delimited(_NET_NAME, len(name)) + name)
        for param, layer in zip(net.param.layer, net.layers, strict=True):
            pieces: list[bytes | memoryview] = [param.SerializeToString()]
            for j, blob in enumerate(layer.blobs):
                inner = wire.blob_bytes(_data(param.name, layer, j, instead), _diff(blob) if diffs else None)
                pieces += [wire.length_delimited(_LAYER_BLOBS, wire.size_of(inner)), *inner]
            file.write(wire.length_delimited(_NET_LAYER, wire.size_of(pieces)))
            for piece in pieces:
                file.write(piece)


def write_hdf5(net: HasParams, path: str, diffs: bool = False, instead: Instead | None = None) -> None:
    """Write HDF5 as Caffe does: data/LAYER/INDEX, a shared param only with its owner. Needs h5py.

    diffs: also diff/LAYER/INDEX, a shared param with each of its layers. instead: as with write_binary.
    """
    h5py = import_h5py()
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        owners = _owners(net)
        for name, layer in net.layer_dict.items():
            group = file.require_group(f"data/{name}")
            for j in range(len(layer.blobs)):
                if (name, j) in owners:
                    group.create_dataset(str(j), data=_data(name, layer, j, instead))
            if diffs:
                group = file.require_group(f"diff/{name}")
                for j, blob in enumerate(layer.blobs):
                    group.create_dataset(str(j), data=_diff(blob))


def _data(name: str, layer: Layer, index: int, instead: Instead | None) -> np.ndarray:
    if instead and name in instead:
        return instead[name][index]
    return layer.blobs[index].data


def _diff(blob: Blob) -> np.ndarray:
    """A blob's diff, or zeros that are not kept."""
    return blob.diff if blob.has_diff else np.zeros(blob.shape, blob.dtype)
