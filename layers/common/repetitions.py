"""Params, and batches, that say how often the same work is done."""

from __future__ import annotations

from caffe_compat.blob import MAX_COUNT
from caffe_compat.errors import ErrorFactory
from caffe_compat.memory import check_memory

MOST = 1000  # far beyond what any net asks for; each time goes over all of the data
MOST_CLASSES = 100_000  # where each class takes a moment, there being data of it or not
MOST_STEPS = 20_000  # of a recurrent layer, one after the other


def check_repetitions(owner: ErrorFactory, name: str, count: int, most: int = MOST) -> None:
    """Raise owner's error where the param `name` asks for its work more than `most` times: nobody could stop it."""
    if count > most:
        raise owner.error(f"{name} is {count}; it must be at most {most}")


def check_steps(owner: ErrorFactory, steps: int) -> None:
    """Raise owner's error where a recurrent layer is given too many steps; Caffe builds a layer or more for each."""
    check_repetitions(owner, "the number of steps, T,", steps, MOST_STEPS)


def check_pairs(owner: ErrorFactory, count: int, what: str, bytes_each: int) -> None:
    """Raise an error where each of so many things is compared with each, and the pairs are more than the elements that
    a blob of them could have in Caffe, or take, so many bytes each, more memory than there is."""
    told = f"each of the {count} {what} is compared with each, which makes {count**2} pairs"
    if count**2 > MAX_COUNT:
        raise owner.error(f"{told}, more than the {MAX_COUNT} that Caffe counts to; give it fewer")
    check_memory(count**2 * bytes_each, told)
