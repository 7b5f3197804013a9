"""What a net hands out as lists and dicts: who assigns to them is told what to write instead of being ignored."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, NoReturn, SupportsIndex, TypeVar, overload

from caffe_compat.blob import Blob
from caffe_compat.text import nearest, some

T = TypeVar("T")


class BlobList(list[Blob]):
    """The bottoms or tops of a layer: pycaffe's RawBlobVec. Only a Blob may take a Blob's place.

    name: how error messages call it. Raises TypeError for an array in a Blob's place.
    """

    def __init__(self, blobs: Iterable[Blob] = (), name: str = "blobs"):
        super().__init__(blobs)
        self.name = name

    @overload
    def __setitem__(self, index: SupportsIndex, value: Blob) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[Blob]) -> None: ...
    def __setitem__(self, index: Any, value: Any) -> None:
        for one in value if isinstance(index, slice) else (value,):
            self._check(one, index if not isinstance(index, slice) else "i")
        super().__setitem__(index, value)

    def append(self, value: Blob) -> None:
        self._check(value, len(self))
        super().append(value)

    def insert(self, index: SupportsIndex, value: Blob) -> None:
        self._check(value, index)
        super().insert(index, value)

    def extend(self, values: Iterable[Blob]) -> None:
        for value in values:
            self.append(value)

    def _check(self, value: Any, index: Any) -> None:
        if not isinstance(value, Blob):
            raise TypeError(
                f"{self.name}[{index}] is a Blob, and no {type(value).__name__} can take its place; write "
                f"{self.name}[{index}].data[...] = array"
            )


class BlobVec(BlobList):
    """The blobs that a layer owns (its params): pycaffe's `add_blob`, with the layer's dtype."""

    def __init__(self, dtype: Any = "float32", layer: str = ""):
        super().__init__(name=f"net.params['{layer}']" if layer else "blobs")
        self.dtype = dtype

    def add_blob(self, *shape: int) -> Blob:
        """Append a blob of this shape, filled with zeros, and return it."""
        self.append(Blob(shape, self.dtype))
        return self[-1]


class ByName(OrderedDict[str, T]):
    """What a net has, by name. It stays as it is: an assignment raises TypeError. KeyErrors have hints.

    what: the kind of things, in a word. advice: what to write instead of an assignment, with {key} for the name.
    """

    def __init__(self, items: Iterable[tuple[str, T]], what: str, advice: str):
        super().__init__()
        for key, value in items:
            super().__setitem__(key, value)
        self._what, self._advice = what, advice

    def __missing__(self, key: str) -> NoReturn:
        near = nearest(str(key), self)
        hint = f"did you mean {near!r}?" if near else f"there are {some(list(self)) or 'none'}"
        raise KeyError(f"the net has no {self._what} {key!r}; {hint}")

    def __setitem__(self, key: str, value: T) -> NoReturn:
        raise TypeError(self._advice.format(key=repr(key)))

    def __delitem__(self, key: str) -> NoReturn:
        raise TypeError("what a net has stays in it")

    def __reduce__(self) -> Any:  # copies are plain
        return OrderedDict, (list(self.items()),)

    def copy(self) -> OrderedDict[str, T]:  # type: ignore[override]
        return OrderedDict(self)


class InOrder(list[T]):
    """What a net has, in its order. It stays as it is: an assignment raises TypeError with this advice."""

    def __init__(self, items: Iterable[T], advice: str):
        super().__init__(items)
        self._advice = advice

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise TypeError(self._advice)

    def __delitem__(self, index: Any) -> NoReturn:
        raise TypeError("what a net has stays in it")
