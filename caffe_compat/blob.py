"""Blob: an array and its gradient, as Caffe has it."""

from __future__ import annotations

import itertools
import math
import weakref
from collections.abc import Callable, Iterable

import numpy as np

from caffe_compat.errors import CaffeCompatError
from caffe_compat.memory import check_memory, out_of_memory

LINE = 64  # bytes of a cache's line
BEHIND = 512  # bytes behind an array that kernels may read, as a LINE before it, of columns that do not count
MAX_AXES = 32
MAX_COUNT = 2**31 - 1  # Caffe counts elements in an int

Fill = Callable[[np.ndarray], None]
_serials = itertools.count(1)


class _Memory:
    """A flat array that grows when needed. Blobs that share data (or diff) hold the same `_Memory`.

    pending: a function that fills the array before the next view of it is given out; None where it is filled. tracked:
    whether the memory has to know if somebody holds a view. Views are then made of a second array over the same bytes,
    of which only a weak reference is kept here: it lives exactly as long as one of its views does.
    """

    __slots__ = ("_given", "array", "dtype", "pending", "serial", "stamp", "tracked")

    def __init__(self, dtype: np.dtype):
        self.array: np.ndarray | None = None
        self.dtype = dtype
        self.pending: Fill | None = None
        self.tracked = False
        self.serial = 0  # of the array, of all that were ever made
        self.stamp = 0  # another one for each view that is given out while tracked
        self._given: weakref.ref[np.ndarray] | None = None

    @property
    def is_held(self) -> bool:
        """Whether somebody holds an array that `view` gave out while tracked (and may read it at any time)."""
        return self._given is not None and self._given() is not None

    def view(self, shape: tuple[int, ...], count: int) -> np.ndarray:
        if self.array is None or self.array.size < count:
            self.array, self._given = _zeros(shape, count, self.dtype), None
            self.serial = next(_serials)
        flat = self._tracked_array(self.array) if self.tracked else self.array
        array = flat[:count].reshape(shape)
        if self.pending is not None:
            fill, self.pending = self.pending, None
            fill(array)
        return array

    def _tracked_array(self, array: np.ndarray) -> np.ndarray:
        self.stamp = next(_serials)
        given = self._given() if self._given is not None else None
        if given is None:
            # from a buffer: numpy names this array, and not `array`, as the base of its views
            given = np.frombuffer(array.data, self.dtype)
            self._given = weakref.ref(given)
        return given


def _clear(array: np.ndarray) -> None:
    array[...] = 0


def _zeros(shape: tuple[int, ...], count: int, dtype: np.dtype) -> np.ndarray:
    """A flat array that begins with a cache line, so that threads with different parts of it never share a line."""
    need = count * dtype.itemsize
    check_memory(need, f"a blob of shape {shape}")
    try:
        memory = np.zeros(need + 2 * LINE + BEHIND, np.uint8)
    except MemoryError as error:
        raise CaffeCompatError(out_of_memory(error)) from error
    begin = LINE + -memory.ctypes.data % LINE
    return memory[begin : begin + need].view(dtype)


class Blob:
    """`data` and `diff`, two C-contiguous arrays of the same shape (float32; NCHW for images).

    Both are allocated, with zeros, when first asked for: a blob that takes no gradient never has a diff.
    Shrinking and growing again within what was once allocated keeps the memory and the values in it.
    Whoever writes an array may defer that (`defer_data`, `defer_diff`): it is then filled when somebody asks for it.

    dtype is float32 in every net; float64 is for gradient checks.
    Source: Caffe's Blob.
    """

    __slots__ = ("_count", "_data", "_diff", "_shape", "dtype")

    def __init__(self, shape: Iterable[int] = (), dtype=np.float32):
        self.dtype = np.dtype(dtype)
        self._data = _Memory(self.dtype)
        self._diff = _Memory(self.dtype)
        self._shape: tuple[int, ...] = ()
        self._count = 1
        self.reshape(*shape)

    def reshape(self, *shape: int) -> None:
        """Set the shape.

        Raises CaffeCompatError for a negative dim, for more than 32 axes, and for more than 2**31 - 1 elements; where a
        dim is 0 the others count, as in Caffe.
        """
        if shape == self._shape:
            return
        try:
            dims = tuple(int(dim) for dim in shape)
        except TypeError:
            raise TypeError(f"reshape takes numbers, got {shape}; write reshape(*shape)") from None
        if any(dim < 0 for dim in dims):
            raise CaffeCompatError(f"a blob cannot have the shape {dims}: a dim is negative")
        if len(dims) > MAX_AXES:
            raise CaffeCompatError(
                f"a blob cannot have {len(dims)} axes; {MAX_AXES} are the most, as in Caffe"
            )
        count = math.prod(dims)
        if count > MAX_COUNT:
            raise CaffeCompatError(
                f"a blob of shape {dims} has {count} elements ({count * 4 / 2**40:.3g} TiB), more than Caffe's "
                f"limit of {MAX_COUNT}; check the dims, the kernel sizes and num_output"
            )
        if not count and math.prod(filter(None, dims)) > MAX_COUNT:
            raise CaffeCompatError(
                f"a blob of shape {dims} has no elements, but dims beyond Caffe's limit of {MAX_COUNT}; check them"
            )
        self._shape, self._count = dims, count

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def count(self) -> int:
        """The number of elements."""
        return self._count

    @property
    def data(self) -> np.ndarray:
        return self._data.view(self._shape, self._count)

    @data.setter
    def data(self, value: np.ndarray) -> None:
        self._check_own("data", self.data, value)

    @property
    def diff(self) -> np.ndarray:
        return self._diff.view(self._shape, self._count)

    @diff.setter
    def diff(self, value: np.ndarray) -> None:
        self._check_own("diff", self.diff, value)

    @staticmethod
    def _check_own(name: str, own: np.ndarray, value: np.ndarray) -> None:
        """Let `blob.data += x` pass, which assigns the blob's own array; else raise AttributeError, as pycaffe does."""
        shape = np.shape(value)
        if not isinstance(value, np.ndarray) or shape != own.shape or value.ctypes.data != own.ctypes.data:
            other = f"blob.reshape{shape} and then " if shape not in (own.shape, ()) else ""
            raise AttributeError(
                f"a blob's {name} stays its own array; to change the numbers, write {other}blob.{name}[...] = array"
            )

    def track(self, data: bool = True, diff: bool = True) -> None:
        """Know from now on whether somebody holds an array of the data or the diff, so that `defer_data` and
        `defer_diff` keep such an array up to date."""
        self._data.tracked |= data
        self._diff.tracked |= diff

    @property
    def data_is_held(self) -> bool:
        """Whether somebody holds an array of the data, given out while tracked, by this blob or one that shares it."""
        return self._data.is_held

    @property
    def shared_data(self) -> object:
        """Equal for blobs that share their data, and for no others."""
        return self._data

    def allocated(self) -> dict[int, int]:
        """The bytes that data and diff take, by the id of the memory, which blobs may share (see `shared_data`)."""
        memories = (self._data, self._diff)
        return {id(memory): memory.array.nbytes for memory in memories if memory.array is not None}

    def shares_data(self, other: Blob) -> bool:
        """Whether both use the same memory for `data`."""
        return self._data is other._data

    @property
    def pending_data(self) -> Fill | None:
        """What will fill the data when somebody asks for it; None where it is there."""
        return self._data.pending

    @property
    def pending_diff(self) -> Fill | None:
        """What will fill the diff when somebody asks for it; None where it is there, or there is none."""
        return self._diff.pending

    @property
    def has_data(self) -> bool:
        """Whether there is data: somebody asked for it, or it is pending. Else it will be zeros."""
        return self._data.array is not None or self._data.pending is not None

    @property
    def has_diff(self) -> bool:
        """Whether there is a diff: somebody asked for one, or it is pending."""
        return self._diff.array is not None or self._diff.pending is not None

    @property
    def diff_is_cleared(self) -> bool:
        """Whether the diff was set to zero, and nobody has asked for it since."""
        return self._diff.pending is _clear

    def defer_data(self, fill: Fill | None, wait: bool = False) -> None:
        """Let `fill` write the data, which other blobs may share, when somebody asks for it.

        Where somebody holds an array of it (see `track`), it is filled at once, unless `wait`. None cancels a fill that
        is pending.
        """
        held = self._data.is_held
        self._data.pending = fill
        if fill is not None and held and not wait:
            _ = self.data

    def defer_diff(self, fill: Fill) -> None:
        """Let `fill` write the diff when somebody asks for it, or now where somebody holds an array (see `track`)."""
        held = self._diff.is_held
        self._diff.pending = fill
        if held:
            _ = self.diff

    def release_data(self) -> None:
        """Give the memory of the data back, where it is pending and nobody holds an array of it (see `track`)."""
        if self._data.pending is not None and self._data.tracked and not self._data.is_held:
            self._data.array = None

    def clear_diff(self) -> None:
        """Set the diff to zero, if there is one; the first layer that adds to it may write instead (`diff_to_add`)."""
        if self.has_diff:
            self.defer_diff(_clear)

    def diff_to_add(self) -> tuple[np.ndarray, bool]:
        """The diff, for a layer that adds to every element of it, and whether to add.

        False after `clear_diff`: the array may then hold anything, and the layer has to write instead.
        """
        cleared = self.diff_is_cleared
        if cleared:
            self._diff.pending = None
        return self.diff, not cleared

    def share_data(self, other: Blob) -> None:
        """Use the other blob's memory for `data` from now on (shapes may differ, counts may not)."""
        self._data = other._data

    def share_diff(self, other: Blob) -> None:
        """Use the other blob's memory for `diff` from now on."""
        self._diff = other._diff

    # pycaffe's legacy names of the four axes; an axis that is not there counts 1
    def _legacy(self, axis: int) -> int:
        return self._shape[axis] if axis < len(self._shape) else 1

    @property
    def num(self) -> int:
        return self._legacy(0)

    @property
    def channels(self) -> int:
        return self._legacy(1)

    @property
    def height(self) -> int:
        return self._legacy(2)

    @property
    def width(self) -> int:
        return self._legacy(3)

    def __repr__(self) -> str:
        return f"Blob{self._shape}"


def data_stamps(blobs: Iterable[Blob]) -> list[int]:
    """Other numbers whenever somebody may have written the data of the blobs, which are tracked (see Blob.track).

    Somebody who holds an array (`Blob.data_is_held`) may write at any time.
    """
    return [blob._data.stamp for blob in blobs]


def data_places(blobs: Iterable[Blob]) -> list[tuple[int, tuple[int, ...], bool]]:
    """Equal as long as the data of each has the same memory and shape, and either is pending or is not."""
    return [(blob._data.serial, blob._shape, blob._data.pending is None) for blob in blobs]
