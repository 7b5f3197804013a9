"""The names of classes: from a command line, from a file of one name a line, and beside a snapshot."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from caffe_compat.errors import DataError
from caffe_compat.files import read_text

BACKGROUND = "__background__"
_BACKGROUNDS = (BACKGROUND, "background")  # in small letters
SUFFIX = "classes.txt"  # beside a snapshot: PREFIX_iter_N.classes.txt
_SHOWN = 40  # names in a message


def read_classes(text: str | os.PathLike[str]) -> tuple[str, ...]:
    """The names of classes, the background's first: from a file with a name a line, or from names with commas between.

    The file, or the list, may begin with the background. Raises DataError, which names the file, where it cannot be
    read, has no name or one twice.
    """
    text = os.fspath(text)
    named = "," not in text and (text.endswith(".txt") or os.sep in text)
    file = text if named or os.path.isfile(text) else None
    lines = text.split(",") if file is None else read_text(file, "the classes").splitlines()
    names = [name for name in map(str.strip, lines) if name]
    if names and is_background(names[0]):
        names = names[1:]
    twice = [name for name in names if names.count(name) > 1]
    late = [name for name in names if is_background(name)]
    if twice or late or not names:
        found = f"'{(twice or late or [''])[0]}' {'twice' if twice else 'not as the first'}"
        raise DataError(
            f"the classes are {found if names else 'none'}; expected names that differ, with commas between, or one a "
            "line",
            file=file,
        )
    return BACKGROUND, *names


def is_background(name: str) -> bool:
    """Whether a name stands for what is no object, output 0 of a net: no class of objects has it."""
    return name.strip().lower() in _BACKGROUNDS


def as_text(classes: Sequence[str]) -> str:
    """The content of a file that `read_classes` reads."""
    return "".join(f"{name}\n" for name in classes[1:])


def beside(weights: str) -> Path:
    """The file with the classes of a snapshot, its weights or its state; it may be missing."""
    return Path(re.sub(r"\.(caffemodel|solverstate)(\.h5)?$", "", weights) + f".{SUFFIX}")


def classes_beside(weights: str) -> tuple[str, ...] | None:
    """The classes that a snapshot was trained on; None where no file beside it says so. Raises DataError."""
    path = beside(weights)
    return read_classes(path) if path.is_file() else None


class ClassIndex:
    """Finds classes by their names in annotations: without blanks around them, upper and lower case alike.

    Names that differ by case alone are told apart.
    """

    def __init__(self, classes: Sequence[str]):
        self._exact = {name: label for label, name in enumerate(classes) if label}
        lower = [name.lower() for name in self._exact]
        self._lower = {
            name.lower(): label for name, label in self._exact.items() if lower.count(name.lower()) == 1
        }

    def get(self, name: str) -> int | None:
        """The index of a class; None where there is none of this name."""
        name = name.strip()
        return self._exact.get(name, self._lower.get(name.lower()))


def unknown_class(name: str, known: Sequence[str], given: bool, counts: Mapping[str, int]) -> str:
    """What to say of an object of a class that is none of the `known` ones. given: whether the user named these.

    counts: how often each name stands in the annotations.
    """
    counts = spelt_once(counts)
    own = sorted(one for one in counts if not is_background(one))
    if is_background(name):
        others = known[1:] if given else own
        return (
            f"an object has the class '{name}', but output 0 of a net is the background, for what is no object: rename "
            f"the class, or leave such objects out, {option(others)} --skip-other-classes"
        )
    there = f"the annotations have {counted(counts)}"
    if not given:
        return (
            f"an object has the class '{name}', which is none of VOC's 20; {there}: give {option(own)} (a net for "
            f"these has num_classes {len(own) + 1}), or mend the name"
        )
    index = ClassIndex(known)
    others = [one for one in own if index.get(one) is None]
    return (
        f"an object has the class '{name}', which is none of those given ({_some(known[1:])}); {there}: give it "
        f"too, {option([*known[1:], *others])}, or leave such objects out with --skip-other-classes"
    )


def spelt_once(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts of names that differ by case alone added up, under the most frequent spelling."""
    result: dict[str, int] = {}
    spelling: dict[str, str] = {}
    for name in sorted(counts, key=lambda one: (-counts[one], one)):
        first = spelling.setdefault(name.lower(), name)
        result[first] = result.get(first, 0) + counts[name]
    return result


def listed(classes: Sequence[str]) -> str:
    """The names of classes, without the background's."""
    return _some(classes[1:])


def counted(counts: Mapping[str, int]) -> str:
    """Names of classes with how many objects they have."""
    return _some([f"{name} ({counts[name]})" for name in sorted(counts)])


def option(names: Sequence[str]) -> str:
    """The option that gives these classes."""
    if len(names) > _SHOWN or any("," in name for name in names):
        return f"--classes FILE, with these {len(names)} names, one a line"
    return f"--classes {shlex.quote(','.join(names))}"


def _some(words: Sequence[str]) -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(words[:_SHOWN]) + more
