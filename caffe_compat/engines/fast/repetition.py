"""Which steps run at once: those that follow each other, and may run again after a pass, to make what it left out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from caffe_compat.blob import Blob
from caffe_compat.engines.fast.find_steps import StepGroup
from caffe_compat.engines.fast.steps.views import View
from caffe_compat.net import Net


class Repetition:
    """Whether layers of a net may run a second time after a pass: they then find what they found in it, and change
    nothing that other layers have made.

    That is not so where they, or layers behind them, work in place on memory that the layers read, or that they write
    and the others change.
    """

    def __init__(self, net: Net):
        self._read: list[set[int]] = []
        self._written: list[set[int]] = []
        memories: dict[int, int] = {}  # of blobs that share another one's, or will, by the id of the blob
        for layer, bottoms, tops in zip(net.layers, net.bottoms, net.tops, strict=True):
            self._read.append(_memories(bottoms, memories))
            if layer.shares_data:
                sources = bottoms if layer.equal_bottom_top else bottoms[:1] * len(tops)
                for top, source in zip(tops, sources, strict=True):
                    memories[id(top)] = memories.get(id(source), id(source))
            nothing = layer.shares_data or View.fits(layer)
            self._written.append(set() if nothing else _memories(tops, memories))
        self._repeats = not any(plan.need_backward for plan in net.plan)  # else nothing is left out

    def is_exact(self, layers: range) -> bool:
        return not self._changed(layers)

    def runs(self, groups: Sequence[StepGroup]) -> list[list[StepGroup]]:
        """The groups in their order, those together that follow each other; those that change what a repetition would
        need are by themselves."""
        result: list[list[StepGroup]] = []
        for group in groups:
            if result and result[-1][-1].last + 1 == group.first:
                result[-1].append(group)
            else:
                result.append([group])
        return [part for run in result for part in self._parts(run)] if self._repeats else result

    def _parts(self, run: list[StepGroup]) -> Iterator[list[StepGroup]]:
        changed = self._changed(range(run[0].first, run[-1].last + 1))
        if not changed or len(run) == 1:
            yield run
            return
        apart = [group for group in run if changed & _all(self._written, group)]
        apart = apart or [group for group in run if changed & _all(self._read, group)]
        for is_apart, some in itertools.groupby(run, key=lambda group: group in apart):
            groups = list(some)
            yield from [[group] for group in groups] if is_apart else self._parts(groups)

    def _changed(self, layers: range) -> set[int]:
        """The memories that stand in the way."""
        behind = set[int]().union(*self._written[layers.stop :])
        found, given, made = set[int](), set[int](), set[int]()
        for i in layers:
            found |= (self._read[i] | self._written[i]) & behind
            given |= self._read[i] - made
            found |= self._written[i] & given
            made |= self._written[i]
        return found


def _all(memories: Sequence[set[int]], group: StepGroup) -> set[int]:
    return set[int]().union(*memories[group.first : group.last + 1])


def _memories(blobs: Sequence[Blob], memories: dict[int, int]) -> set[int]:
    return {memories.get(id(blob), id(blob)) for blob in blobs}
