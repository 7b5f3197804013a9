"""Arrays from and to Caffe's messages and image files, and what makes an image an input: pycaffe's caffe.io."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.prototxt.blob_proto import to_array
from caffe_compat.prototxt.caffe_pb2 import BlobProto, BlobProtoVector, Datum
from caffe_compat.pycaffe.pixels import check_image, check_size, unit_image
from caffe_compat.pycaffe.resize import align_corners, half_pixels

_Dims = Sequence[int] | np.ndarray


# ---- messages -------------------------------------------------------------------------------------------------


def blobproto_to_array(blob: BlobProto, return_diff: bool = False) -> np.ndarray:
    """The data (or the diff) of a BlobProto, float64, in its shape, old (num, channels, height, width) or new.

    Raises ValueError where the shape does not fit.
    """
    return to_array(blob, return_diff).astype(np.float64)


def array_to_blobproto(arr: np.ndarray, diff: np.ndarray | None = None) -> BlobProto:
    """A BlobProto of an array of any shape, and of a diff of the same shape; the values as float32."""
    blob = BlobProto()
    blob.shape.dim.extend(arr.shape)
    blob.data.extend(arr.astype(float).flat)
    if diff is not None:
        blob.diff.extend(diff.astype(float).flat)
    return blob


def arraylist_to_blobprotovector_str(arraylist: Sequence[np.ndarray]) -> bytes:
    """A serialized BlobProtoVector of some arrays."""
    return BlobProtoVector(blobs=[array_to_blobproto(array) for array in arraylist]).SerializeToString()


def blobprotovector_str_to_arraylist(str: bytes) -> list[np.ndarray]:
    """The arrays of a serialized BlobProtoVector."""
    return [blobproto_to_array(blob) for blob in BlobProtoVector.FromString(str).blobs]


def array_to_datum(arr: np.ndarray, label: int | None = None) -> Datum:
    """A Datum of channels x height x width: bytes for uint8, else floats. Raises ValueError for other shapes."""
    if arr.ndim != 3:
        raise ValueError(f"a datum is channels x height x width; the array has the shape {arr.shape}")
    datum = Datum()
    datum.channels, datum.height, datum.width = arr.shape
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(arr.astype(float).flat)
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum: Datum) -> np.ndarray:
    """The array of a Datum, channels x height x width: uint8 where it holds bytes, else float64.

    Raises ValueError where its size does not fit, and for an encoded image.
    """
    if datum.encoded:
        raise ValueError("the datum holds an encoded image; decode its data with cv2.imdecode")
    shape = datum.channels, datum.height, datum.width
    if datum.data:
        return np.frombuffer(datum.data, np.uint8).reshape(shape).copy()
    return np.array(datum.float_data, np.float64).reshape(shape)


# ---- images ---------------------------------------------------------------------------------------------------


def load_image(filename: str | PathLike[str], color: bool = True) -> np.ndarray:
    """An image file as float32 in [0, 1]: height x width x 3 (red green blue), or x 1 if not `color`.

    8 bits are divided by 255, 16 by 65535; transparency is dropped; EXIF does not turn the image. Grey is
    0.2125 red + 0.7154 green + 0.0721 blue. The numbers are those of skimage's imread wherever OpenCV and Pillow
    decode the file alike (lossless formats; JPEG can differ by a step of 1 / 255).
    Raises OSError where the file cannot be read, DataError where it is no image.
    """
    import cv2  # it takes long

    with open(filename, "rb") as file:
        content = np.frombuffer(file.read(), np.uint8)
    try:
        image = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    except cv2.error:  # of more pixels than it takes
        image = None
    if image is None:
        raise DataError("this is no image that OpenCV can decode", file=str(filename))
    return unit_image(image, color)


def resize_image(im: np.ndarray, new_dims: _Dims, interp_order: int = 1) -> np.ndarray:
    """Resize height x width x channels to new_dims (height, width); returns float32.

    interp_order: 1, linear, or 0, the nearest pixel. Raises ValueError for others.

    As pycaffe does it, there are two ways. Images of 1 or 3 channels go skimage's way (resize with mode "constant",
    without anti-aliasing, as skimage had it until 0.14): pixels are squares, and where an enlarged image asks for
    pixels beyond its border it gets the image's least value. Other numbers of channels go scipy's way
    (ndimage.zoom): pixels are points, the corners stay corners. Both agree with skimage and scipy to float32
    rounding for interp_order 1.
    """
    check_image(im, "the image")
    if interp_order not in (0, 1):
        raise ValueError(f"interp_order is 0 (nearest) or 1 (linear), not {interp_order}")
    height, width = check_size(new_dims, "new_dims")
    if im.shape[-1] not in (1, 3):
        return align_corners(im, (height, width), interp_order).astype(np.float32)
    low, high = im.min(), im.max()
    if high == low:
        return np.full((height, width, im.shape[-1]), low, np.float32)
    unit = (im - low) / (high - low)
    return (half_pixels(unit, (height, width), interp_order) * (high - low) + low).astype(np.float32)


def oversample(images: Sequence[np.ndarray] | np.ndarray, crop_dims: _Dims) -> np.ndarray:
    """10 crops of each of N images of one size: the four corners, the centre, and these mirrored.

    images: height x width x channels each. crop_dims: (height, width).
    Returns float32, 10 N x height x width x channels. Raises ValueError for images of several sizes, or smaller than a
    crop.
    """
    for i, image in enumerate(images):
        check_image(image, f"image {i} (oversample takes a list of images)")
    if len({image.shape for image in images}) != 1:
        shapes = ", ".join(str(image.shape) for image in images) or "none"
        raise ValueError(
            f"oversample takes images of one size; these are {shapes}: resize_image makes them alike"
        )
    height, width, channels = images[0].shape
    rows, columns = check_size(crop_dims, "crop_dims")
    if rows > height or columns > width:
        raise ValueError(
            f"the crop of {rows} x {columns} is larger than the images of {height} x {width}; resize them first"
        )
    corners = [(y, x) for y in (0, height - rows) for x in (0, width - columns)]
    corners.append((int((height - rows) / 2), int((width - columns) / 2)))
    crops = np.empty((len(images), 2, 5, rows, columns, channels), np.float32)
    for i, image in enumerate(images):
        for j, (y, x) in enumerate(corners):
            crops[i, 0, j] = image[y : y + rows, x : x + columns]
    crops[:, 1] = crops[:, 0, :, :, ::-1]
    return crops.reshape(-1, rows, columns, channels)


class Transformer:
    """Turns images into what inputs of a net take: `Transformer({"data": net.blobs["data"].data.shape})`.

    Each `set_` method is for one input. Raises ValueError for an input that is not there, and what does not fit it.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]):
        self.inputs = inputs
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, np.ndarray] = {}
        self.input_scale: dict[str, float] = {}

    def preprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """An image (height x width x channels) as input: a new array, float32, channels x height x width.

        It is, in this order: resized, transposed, its channels swapped, times raw_scale, minus mean, times input_scale.
        Raises ValueError where it is no image, or its channels are not those of the input.
        """
        shape = self._shape(in_)
        if in_ in self.transpose and len(shape) == 4:
            by_channel = in_ in self.channel_swap or in_ in self.mean
            check_image(data, "the image", shape[1] if by_channel else None)
        image = np.array(data, np.float32)
        if image.shape[:2] != shape[2:]:
            image = resize_image(image, shape[2:])
        if in_ in self.transpose:
            image = image.transpose(self.transpose[in_])
        if in_ in self.channel_swap:
            image = image[list(self.channel_swap[in_])]
        if self.raw_scale.get(in_) is not None:
            image *= self.raw_scale[in_]
        if in_ in self.mean:
            image -= self.mean[in_]
        if self.input_scale.get(in_) is not None:
            image *= self.input_scale[in_]
        return image

    def deprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """The image of an input: `preprocess` backwards, without the resizing.

        data: channels x height x width, or with a batch of one. Raises ValueError for more images.
        """
        shape = self._shape(in_)
        image = data.copy().squeeze()
        if len(shape) == 4 and image.ndim == 2 and shape[1] == 1:
            image = image[None]  # one channel is one, too
        if in_ in self.transpose and image.ndim != len(self.transpose[in_]):
            raise ValueError(
                f"deprocess takes one image, {' x '.join(map(str, shape[1:]))}, not an array of {data.shape}; of a "
                "batch, give one: data[i]"
            )
        if self.input_scale.get(in_) is not None:
            image /= self.input_scale[in_]
        if in_ in self.mean:
            image += self.mean[in_]
        if self.raw_scale.get(in_) is not None:
            image /= self.raw_scale[in_]
        if in_ in self.channel_swap:
            image = image[np.argsort(self.channel_swap[in_])]
        if in_ in self.transpose:
            image = image.transpose(np.argsort(self.transpose[in_]))
        return image

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """The order of the axes; (2, 0, 1) makes height x width x channels what Caffe takes."""
        axes = len(self._shape(in_)) - 1
        if len(order) != axes:
            raise ValueError(
                f"the transpose order {tuple(order)} needs to have {axes} axes, as the input has"
            )
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """The order of the channels, which are the first axis by then; (2, 1, 0) makes RGB BGR."""
        channels = self._shape(in_)[1]
        if len(order) != channels:
            raise ValueError(
                f"the channel swap {tuple(order)} needs to have {channels} channels, as the input has"
            )
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """What to multiply by before the mean is subtracted; 255 for nets that take pixels of [0, 255]."""
        self._shape(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: np.ndarray) -> None:
        """What to subtract: one number a channel, or an image (channels x height x width), resized to the input's size.

        Its channels stand in the input's order, after the swap.
        """
        shape = self._shape(in_)
        mean = np.asarray(mean)
        if mean.ndim == 1:
            if len(mean) != shape[1]:
                raise ValueError(f"the mean has {len(mean)} channels, the input {shape[1]}")
            mean = mean[:, None, None]
        else:
            if mean.ndim == 2:
                mean = mean[None]
            if mean.ndim != 3:
                hint = ": give mean[0]" if mean.ndim == 4 and len(mean) == 1 else ""
                raise ValueError(
                    f"the mean has the shape {mean.shape}; it is one number a channel, or an image{hint}"
                )
            if len(mean) not in (1, shape[1]):
                hint = "; channels stand first in it" if mean.shape[2] == shape[1] else ""
                raise ValueError(
                    f"the mean has the shape {mean.shape}, and input '{in_}' {shape[1]} channels{hint}"
                )
            if mean.shape != shape[1:]:
                mean = _resize_mean(mean, shape[2:])
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """What to multiply by at the end, after the mean is subtracted."""
        self._shape(in_)
        self.input_scale[in_] = scale

    def _shape(self, in_: str) -> tuple[int, ...]:
        if in_ not in self.inputs:
            raise ValueError(f"{in_} is not one of the net inputs: {list(self.inputs)}")
        return tuple(self.inputs[in_])


def _resize_mean(mean: np.ndarray, dims: Sequence[int]) -> np.ndarray:
    low, high = mean.min(), mean.max()
    span = high - low if high > low else 1
    unit = (mean - low) / span
    return resize_image(unit.transpose(1, 2, 0), dims).transpose(2, 0, 1) * span + low
