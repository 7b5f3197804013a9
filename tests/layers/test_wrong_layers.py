"""The contract sweep and the gradient check find what is wrong: deliberately wrong layers fail them."""

import numpy as np
import pytest

import layers.contract as contract
from caffe_compat.layers.base import Layer
from layers.contract import CLAUSES
from layers.gradient import check_gradient
from layers.harness import Case


class Right(Layer):
    """bottom[0] ** 2 * w + bottom[1], images of n x c x k, one w a channel: correct in everything."""

    bottom_count = (2, 2)

    def setup(self, bottom, top):
        self.blobs.add_blob(bottom[0].shape[1], 1)

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data ** 2 * self.blobs[0].data + bottom[1].data

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            bottom[0].diff[...] = 2 * bottom[0].data * self.blobs[0].data * top[0].diff
        if propagate_down[1]:
            bottom[1].diff[...] = top[0].diff
        if self.propagates_to(0):
            self.blobs[0].diff[...] += (bottom[0].data ** 2 * top[0].diff).sum(axis=(0, 2))[:, None]


class RightInPlace(Layer):
    """3 * x, in place or not."""

    in_place = True

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        np.multiply(bottom[0].data, 3, out=top[0].data)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            np.multiply(top[0].diff, 3, out=bottom[0].diff)


CASE = Case('type: "Right"', [(2, 3, 5)] * 2, [(4, 3, 2)] * 2)
CASE_IN_PLACE = Case('type: "RightInPlace"', [(2, 3, 5)], [(4, 1, 2)])


@pytest.mark.parametrize("clause", [*CLAUSES, check_gradient], ids=lambda clause: clause.__name__)
@pytest.mark.parametrize(
    ("case", "cls"), [(CASE, Right), (CASE_IN_PLACE, RightInPlace)], ids=["two", "in place"]
)
def test_a_right_layer_passes(clause, case, cls):
    clause(case, cls)


class OverwritesParamDiff(Right):
    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff.fill(0)
        super().backward(top, propagate_down, bottom)


class LeavesPartOfTheTop(Right):
    def forward(self, bottom, top):
        top[0].data[:, :, 1:] = (bottom[0].data ** 2 * self.blobs[0].data + bottom[1].data)[:, :, 1:]


class ShapesTheTopInForward(Right):
    def forward(self, bottom, top):
        top[0].reshape(1, *bottom[0].shape)
        super().forward(bottom, top)


class AddsToTheTop(Right):
    def forward(self, bottom, top):
        stood = np.nan_to_num(top[0].data)
        super().forward(bottom, top)
        top[0].data[...] += stood


class LeavesPartOfABottomDiff(Right):
    def backward(self, top, propagate_down, bottom):
        last = bottom[1].diff[-1].copy()
        super().backward(top, propagate_down, bottom)
        bottom[1].diff[-1] = last


class IgnoresPropagateDown(Right):
    def backward(self, top, propagate_down, bottom):
        super().backward(top, [True, True], bottom)


class IgnoresParamPropagateDown(Right):
    def propagates_to(self, index):
        return True


class WrongGradient(Right):
    def backward(self, top, propagate_down, bottom):
        super().backward(top, propagate_down, bottom)
        bottom[0].diff[1, 2, 4] *= 1.001


class WrongParamGradient(Right):
    def backward(self, top, propagate_down, bottom):
        before = self.blobs[0].diff.copy()
        super().backward(top, propagate_down, bottom)
        self.blobs[0].diff[...] += 1e-4 * (self.blobs[0].diff - before)


class MixesUpTheBatch(Right):
    def backward(self, top, propagate_down, bottom):
        super().backward(top, propagate_down, bottom)
        bottom[1].diff[...] = top[0].diff[::-1]


class ChangesABottom(Right):
    def forward(self, bottom, top):
        super().forward(bottom, top)
        bottom[1].data[0, 0, 0] += 1


class ChangesTheTopDiff(Right):
    def backward(self, top, propagate_down, bottom):
        super().backward(top, propagate_down, bottom)
        top[0].diff[...] = 0


class ReadsTheTopInBackward(Right):
    def backward(self, top, propagate_down, bottom):
        super().backward(top, propagate_down, bottom)
        bottom[0].diff[...] += 0 * top[0].data


class AsksForADiffInForward(Right):
    def forward(self, bottom, top):
        super().forward(bottom, top)
        assert bottom[0].diff.shape


class KeepsSomethingBetweenCalls(Right):
    calls = 0

    def forward(self, bottom, top):
        super().forward(bottom, top)
        self.calls += 1
        top[0].data[...] += self.calls


class KeepsTheFirstShape(Right):
    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        if not hasattr(self, "examples"):
            self.examples = bottom[0].num

    def forward(self, bottom, top):
        super().forward(bottom, top)
        top[0].data[self.examples :] = 0


class DeclaresOneBottom(Right):
    bottom_count = (1, 1)


class HasNoBackwardButDoesNotSaySo(Right):
    has_backward = False


class WrongInPlace(RightInPlace):
    """(x + 1) * x, which reads the bottom after the top is written."""

    def forward(self, bottom, top):
        np.add(bottom[0].data, 1, out=top[0].data)
        np.multiply(top[0].data, bottom[0].data, out=top[0].data)


class WrongBackwardInPlace(RightInPlace):
    """x ** 3, whose gradient wants the bottom that is gone."""

    def forward(self, bottom, top):
        np.power(bottom[0].data, 3, out=top[0].data)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            np.multiply(top[0].diff, 3 * bottom[0].data ** 2, out=bottom[0].diff)


class SharesDataButDoesNotSaySo(RightInPlace):
    def forward(self, bottom, top):
        top[0].share_data(bottom[0])


@pytest.mark.parametrize(
    ("cls", "clause"),
    [
        (OverwritesParamDiff, contract.backward_adds_to_param_diffs),
        (LeavesPartOfTheTop, contract.forward_writes_every_top),
        (AddsToTheTop, contract.forward_writes_every_top),
        (ShapesTheTopInForward, contract.forward_keeps_the_shapes_unless_it_counts_rows),
        (LeavesPartOfABottomDiff, contract.backward_writes_every_bottom_diff),
        (IgnoresPropagateDown, contract.propagate_down_false_leaves_the_diff),
        (IgnoresParamPropagateDown, contract.param_propagate_down_false_leaves_the_diff),
        (WrongGradient, check_gradient),
        (WrongParamGradient, check_gradient),
        (MixesUpTheBatch, check_gradient),
        (ChangesABottom, contract.forward_leaves_bottoms_and_diffs),
        (ChangesTheTopDiff, contract.backward_changes_nothing_else),
        (ReadsTheTopInBackward, contract.backward_reads_the_tops_where_it_says_so),
        (AsksForADiffInForward, contract.forward_leaves_bottoms_and_diffs),
        (KeepsSomethingBetweenCalls, contract.forward_twice_is_the_same),
        (KeepsTheFirstShape, contract.shapes_may_change_between_calls),
        (SharesDataButDoesNotSaySo, contract.tops_share_data_where_it_says_so),
        (DeclaresOneBottom, contract.counts_are_within_the_declared_ones),
        (HasNoBackwardButDoesNotSaySo, contract.a_layer_without_backward_says_so),
        (WrongInPlace, contract.in_place_equals_out_of_place),
        (WrongBackwardInPlace, contract.in_place_equals_out_of_place),
    ],
    ids=lambda value: value.__name__,
)
def test_a_wrong_layer_fails(cls, clause):
    case = CASE_IN_PLACE if issubclass(cls, RightInPlace) else CASE
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        clause(case, cls)


def test_every_clause_has_a_wrong_layer():
    (mark,) = (m for m in test_a_wrong_layer_fails.pytestmark if m.name == "parametrize")
    assert {clause for _, clause in mark.args[1]} == {*CLAUSES, check_gradient}
