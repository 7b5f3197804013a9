"""Layers of video-caffe, whose windows have shapes, of P3D, whose windows have a length, a height and a width, and of
R-C3D, whose windows have several sizes, in the form of those whose windows have lists of sizes."""

from __future__ import annotations

from caffe_compat.prototxt.caffe_pb2 import LayerParameter
from caffe_compat.prototxt.scanner import Path
from caffe_compat.prototxt.upgrade_error import UpgradeError

# type -> where its shapes stand
_PARAMS = {"NdConvolution": "convolution_param", "NdPooling": "pooling_param"}
_SIZES = {"kernel_shape": "kernel_size", "stride_shape": "stride", "pad_shape": "pad"}
_P3D = {
    "kernel": "kernel_size",
    "stride": "stride",
    "pad": "pad",
}  # its names begin so; where height and width agree
_OTHER_SIZES = tuple(
    f"{name}{suffix}" for name in ("kernel", "stride", "pad") for suffix in ("_h", "_w", "_size", "")
)


def upgrade_nd(layer: LayerParameter, path: Path) -> None:
    """Change one layer in place: NdConvolution becomes a Convolution, NdPooling gets a pooling_nd_param.

    path: to where it comes from. Raises UpgradeError for shapes of other types, ones that do not fit each other, and
    sizes beside them.
    Source: the layers of video-caffe (zhzhong11/video-caffe).
    """
    for type, message in _PARAMS.items():
        given = getattr(layer, message)
        shapes = [name for name in _SIZES if given.HasField(name)]
        if layer.type != type:
            if shapes:
                raise UpgradeError(
                    f"layer '{layer.name}' ({layer.type}): {message}.{shapes[0]} is for type {type}; give "
                    f"{_SIZES[shapes[0]]}",
                    (*path, message, shapes[0]),
                )
            continue
        if not layer.HasField(message):
            continue
        _check(layer, given, (*path, message))
        result = given if type == "NdConvolution" else layer.pooling_nd_param
        for name in shapes:
            getattr(result, _SIZES[name]).extend(getattr(given, name).dim)
            given.ClearField(name)
        if type == "NdConvolution":
            layer.type = "Convolution"
        else:
            result.pool, result.global_pooling = int(given.pool), given.global_pooling
            layer.ClearField(message)


def _check(layer: LayerParameter, given, path: Path) -> None:
    others = [field.name for field, _ in given.ListFields() if field.name in _OTHER_SIZES]
    counts = {name: len(getattr(given, name).dim) for name in _SIZES if given.HasField(name)}
    told = f"layer '{layer.name}' ({layer.type})"
    if others:
        raise UpgradeError(f"{told} has kernel_shape, stride_shape and pad_shape, no {others[0]}", path)
    if not counts.get("kernel_shape") and not getattr(given, "global_pooling", False):
        raise UpgradeError(
            f"{told} has no kernel_shape; give 'kernel_shape {{ dim: ... }}', a dim an axis", path
        )
    if len({*counts.values()}) > 1:
        said = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise UpgradeError(f"{told}: the shapes have different numbers of dims: {said}", path)
    if any(dim < 0 for name in counts for dim in getattr(given, name).dim):
        raise UpgradeError(f"{told}: a shape has a dim below 0", path)


def upgrade_p3d(layer: LayerParameter, path: Path) -> None:
    """Change one layer in place: a Pooling3D with P3D's fields, which C3D's has not, becomes a PoolingND.

    path: to where it comes from. Raises UpgradeError for sizes that are given twice, or for C3D's beside P3D's.
    Source: Pooling3DLayer of P3D (ZhaofanQiu/pseudo-3d-residual-networks).
    """
    given, result = (getattr(layer, name) for name in ("pooling3d_param", "pooling_nd_param"))
    own = {f"{name}_{side}" for name in _P3D for side in "lhw"} | {"global_pooling", "engine"}
    names = [field.name for field, _ in given.ListFields()]
    if layer.type != "Pooling3D" or not own & {*names}:
        return
    told, path = f"layer '{layer.name}' (Pooling3D)", (*path, "pooling3d_param")
    for name in ("kernel_depth", "temporal_stride"):
        if name in names:
            raise UpgradeError(
                f"{told}: {name} is C3D's, {min(own & {*names})} P3D's; give those of one", path
            )
    result.pool, result.global_pooling = int(given.pool), given.global_pooling
    for name, both in _P3D.items():
        sides = [f"{name}_{side}" for side in "lhw"]
        if both in names and {*sides[1:]} & {*names}:
            raise UpgradeError(f"{told}: give {both}, or {sides[1]} and {sides[2]}, not both", path)
        if both in names:
            sides[1:] = [both, both]
        if {*sides} & {*names}:
            getattr(result, both).extend(_size(given, side, name) for side in sides)
    layer.type = "PoolingND"
    layer.ClearField("pooling3d_param")


def upgrade_sizes(layer: LayerParameter, path: Path) -> None:
    """Change one layer in place: a Pooling with a size for each axis, or a dilation, becomes a PoolingND.

    path: to where it comes from. A dilation of 1 is left out. Raises UpgradeError for other types, and for sizes that
    have names of their own, too. Source: PoolingLayer of R-C3D (VisionLearningGroup), caffe3d, and of naibaf7's Caffe.
    """
    if layer.HasField("pooling_param") and not {*layer.pooling_param.dilation} - {1}:
        layer.pooling_param.ClearField("dilation")
    given, result = (getattr(layer, name) for name in ("pooling_param", "pooling_nd_param"))
    names = [field.name for field, _ in given.ListFields()]
    more = [name for name in names if name.startswith("more_") or name == "dilation"]
    if not more:
        return
    told, first = f"layer '{layer.name}' ({layer.type})", more[0].removeprefix("more_")
    sides = [name for name in names if name.endswith(("_h", "_w"))]
    if layer.type != "Pooling" or sides:
        other = (
            f"give {first} or {sides[0]}, not both"
            if sides
            else f"only type Pooling has a {first} for each axis"
        )
        raise UpgradeError(f"{told}: {other}", (*path, "pooling_param", first))
    for name in _P3D.values():
        if name in names:
            getattr(result, name).extend([getattr(given, name), *getattr(given, f"more_{name}")])
    result.dilation.extend(given.dilation)
    result.pool, result.global_pooling = int(given.pool), given.global_pooling
    layer.type = "PoolingND"
    layer.ClearField("pooling_param")


def _size(given, side: str, name: str) -> int:
    return getattr(given, side) if given.HasField(side) else {"kernel": 0, "stride": 1, "pad": 0}[name]
