"""The layer contract as assertions: each function proves one clause for one case, of any layer class.

`cls` is the class to try instead of the registered one. Random numbers start from the same seed every time.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import Layer
from caffe_compat.rng import set_random_seed
from layers.harness import Case, Runner, random_numbers

Cls = type[Layer] | None
SENTINEL = 123.0


def make(case: Case, cls: Cls, shapes=(), **kwargs) -> Runner:
    set_random_seed(5)
    return Runner.of(case, case.bottoms(random_numbers(1), shapes), cls, **kwargs)


def run(case: Case, runner: Runner, poison: float = np.nan) -> tuple[list, list]:
    """Forward and backward: the tops; the bottoms' diffs (None where there is none) and the params' diffs.

    Always from the state, and from the learned params, that the layer had at first.
    """
    runner.start_again()
    set_random_seed(6)
    tops = runner.forward(poison)
    return tops, gradients(case, runner, poison=poison)


@functools.lru_cache(maxsize=2)
def fresh_run(case: Case, cls: Cls, poison: float = np.nan) -> tuple[list, list]:
    """`run` of a layer that has just been made."""
    return run(case, make(case, cls), poison)


def gradients(case: Case, runner: Runner, propagate_down=None, poison: float = np.nan) -> list:
    """Backward from param diffs of 0 (nothing for a layer without one)."""
    if not runner.layer.has_backward:
        return []
    for blob in runner.layer.blobs:
        blob.diff.fill(0)
    if runner.layer.backward_changes_params:
        runner.start_again()
    seeds = runner.seeds(case, random_numbers(2))
    bottoms = runner.backward(seeds, propagate_down, poison)
    return bottoms + [blob.diff.copy() for blob in runner.layer.blobs]


def assert_same(got: list, want: list, what: str, rtol: float = 0) -> None:
    assert len(got) == len(want)
    for i, (a, b) in enumerate(zip(got, want, strict=True)):
        assert (a is None) == (b is None), f"{what}: array {i}"
        if a is not None and not np.array_equal(a, b, equal_nan=True):
            scale = np.abs(b).max(initial=0)
            np.testing.assert_allclose(a, b, rtol=0, atol=rtol * scale, err_msg=f"{what}: array {i}")


# ---- the clauses
def counts_are_within_the_declared_ones(case: Case, cls: Cls = None) -> None:
    runner = make(case, cls)
    for blobs, (fewest, most) in (
        (runner.bottom, runner.layer.bottom_count),
        (runner.top, runner.layer.top_count),
    ):
        assert fewest <= len(blobs) <= (len(blobs) if most is None else most)
    if runner.layer.equal_bottom_top:
        assert len(runner.bottom) == len(runner.top)


def forward_writes_every_top(case: Case, cls: Cls = None) -> None:
    tops, _ = fresh_run(case, cls)
    assert not any(np.isnan(top).any() for top in tops), "a top is not completely written"
    assert_same(fresh_run(case, cls, 1e9)[0], tops, "forward reads what stood in a top")


def forward_keeps_the_shapes_unless_it_counts_rows(case: Case, cls: Cls = None) -> None:
    runner = make(case, cls)
    own = runner.layer

    def shapes():
        free = slice(own.row_axis, own.row_axis + own.counts_rows)
        return [(*top.shape[: free.start], *top.shape[free.stop :]) for top in runner.top]

    before = shapes()
    runner.forward()
    assert shapes() == before


def forward_leaves_bottoms_and_diffs(case: Case, cls: Cls = None) -> None:
    runner = make(case, cls)
    before = [blob.data.copy() for blob in runner.bottom]
    runner.forward()
    assert_same([blob.data for blob in runner.bottom], before, "forward changes a bottom")
    assert not any(blob.has_diff for blob in [*runner.bottom, *runner.top, *runner.layer.blobs]), (
        "forward asks for a diff, which takes memory where nobody wants gradients"
    )


def forward_twice_is_the_same(case: Case, cls: Cls = None) -> None:
    runner = make(case, cls)
    first = run(case, runner)
    again = run(case, runner)
    assert_same(again[0], first[0], "a second forward")
    assert_same(again[1], first[1], "a second backward")


def backward_writes_every_bottom_diff(case: Case, cls: Cls = None) -> None:
    _, grads = fresh_run(case, cls)
    assert not any(np.isnan(grad).any() for grad in grads if grad is not None), "a bottom diff is not written"
    _, others = fresh_run(case, cls, 1e9)
    assert_same(others, grads, "backward reads what stood in a bottom diff")


def backward_changes_nothing_else(case: Case, cls: Cls = None) -> None:
    runner = make(case, cls)
    set_random_seed(6)
    runner.forward()
    seeds = runner.seeds(case, random_numbers(2))
    params = runner.layer.blobs
    blobs = [*runner.bottom, *runner.top]
    before, params_before = ([blob.data.copy() for blob in some] for some in (blobs, params))
    if runner.layer.has_backward:
        runner.backward(seeds)
        assert_same([blob.data for blob in blobs], before, "backward changes data")
        pairs = zip(params, params_before, strict=True)
        changed = not all(np.array_equal(blob.data, values, equal_nan=True) for blob, values in pairs)
        assert changed == runner.layer.backward_changes_params, "backward changes params, or does not"
        for top, seed in zip(runner.top, seeds, strict=True):
            np.testing.assert_array_equal(
                top.diff, seed.astype(top.dtype), err_msg="backward changes a top diff"
            )


def backward_reads_the_tops_where_it_says_so(case: Case, cls: Cls = None) -> None:
    runner = make(case, cls)
    _, grads = run(case, runner)
    if not runner.layer.has_backward:
        return
    for top in runner.top:
        if not any(np.may_share_memory(top.data, bottom.data) for bottom in runner.bottom):
            top.data[...] = np.nan
    others = gradients(case, runner)
    pairs = [(a, b) for a, b in zip(grads, others, strict=True) if a is not None and b is not None]
    reads = not all(np.array_equal(a, b) for a, b in pairs)
    assert reads == runner.layer.backward_reads_top, "backward_reads_top is not what backward does"


def backward_adds_to_param_diffs(case: Case, cls: Cls = None) -> None:
    runner = make(case, cls)
    _, grads = run(case, runner)
    if not runner.layer.has_backward:
        return
    for blob in runner.layer.blobs:
        blob.diff.fill(SENTINEL)
    runner.backward(runner.seeds(case, random_numbers(2)))
    for i, (blob, grad) in enumerate(zip(runner.layer.blobs, grads[len(runner.bottom) :], strict=True)):
        scale = max(np.abs(grad).max(), SENTINEL)
        np.testing.assert_allclose(
            blob.diff, SENTINEL + grad, rtol=0, atol=1e-5 * scale, err_msg=f"param {i}"
        )


def propagate_down_false_leaves_the_diff(case: Case, cls: Cls = None) -> None:
    runner = make(case, cls)
    _, grads = run(case, runner)
    if not runner.layer.has_backward:
        return
    n = len(runner.bottom)
    for left_out in range(n):
        flags = [wanted and i != left_out for i, wanted in enumerate(runner.propagates)]
        some = gradients(case, runner, flags, poison=SENTINEL)
        want = [grad if flag else None for grad, flag in zip(grads, flags, strict=False)]
        assert_same(some[:n], want, "the other bottoms", rtol=1e-5)
        assert_same(some[n:], grads[n:], "the params", rtol=1e-5)
        untouched = (runner.bottom[left_out].diff == SENTINEL).all()
        assert untouched, f"bottom {left_out} has propagate_down false and its diff is written"


def param_propagate_down_false_leaves_the_diff(case: Case, cls: Cls = None) -> None:
    runner = make(case, cls)
    _, grads = run(case, runner)
    n, params = len(runner.bottom), len(runner.layer.blobs)
    for left_out in range(params if runner.layer.has_backward else 0):
        runner.layer.param_propagate_down = [i != left_out for i in range(params)]
        some = gradients(case, runner)
        assert not some[n + left_out].any(), (
            f"param {left_out} has propagate_down false and its diff is written"
        )
        for i in range(params):
            if i != left_out:
                assert_same([some[n + i]], [grads[n + i]], f"param {i} without {left_out}", rtol=1e-5)
        assert_same(some[:n], grads[:n], "the bottoms", rtol=1e-5)


def in_place_equals_out_of_place(case: Case, cls: Cls = None) -> None:
    apart = make(case, cls)
    if not apart.layer.in_place or case.shapes[0] != apart.top[0].shape:
        return
    inside = make(case, cls, in_place=True)
    tops, grads = run(case, apart)
    tops_inside, grads_inside = run(case, inside)
    assert_same(tops_inside, tops, "in place")
    assert_same(grads_inside, grads, "in place", rtol=1e-5)
    if apart.layer.has_backward:
        seed = apart.seeds(case, random_numbers(2))[0]
        gradients(case, inside, [False] * len(inside.bottom))
        np.testing.assert_array_equal(inside.bottom[0].diff, seed.astype(inside.bottom[0].dtype))


def shapes_may_change_between_calls(case: Case, cls: Cls = None) -> None:
    if not case.other_shapes:
        return
    runner = make(case, cls)
    first = run(case, runner)
    runner.feed(case.bottoms(random_numbers(1), case.other_shapes))
    other, fresh = run(case, runner), run(case, make(case, cls, case.other_shapes))
    assert_same(other[0], fresh[0], "forward on other shapes", rtol=1e-6)
    assert_same(other[1], fresh[1], "backward on other shapes", rtol=1e-5)
    runner.feed(case.bottoms(random_numbers(1)))
    back = run(case, runner)
    assert_same(back[0], first[0], "forward on the first shapes again")
    assert_same(back[1], first[1], "backward on the first shapes again")


def tops_share_data_where_it_says_so(case: Case, cls: Cls = None) -> None:
    runner = make(case, cls)
    own = runner.layer
    runner.forward()
    for i, top in enumerate(runner.top):
        sharing = [j for j, bottom in enumerate(runner.bottom) if top.shares_data(bottom)]
        assert sharing == ([i if own.equal_bottom_top else 0] if own.shares_data else []), (
            "whose memory a top has"
        )


def a_layer_without_backward_says_so(case: Case, cls: Cls = None) -> None:
    runner = make(case, cls)
    if runner.layer.has_backward or not runner.bottom:
        return
    runner.forward()
    with pytest.raises(LayerError, match="no backward"):
        runner.layer.backward(runner.top, [True] * len(runner.bottom), runner.bottom)


CLAUSES = [
    counts_are_within_the_declared_ones,
    forward_writes_every_top,
    forward_keeps_the_shapes_unless_it_counts_rows,
    backward_writes_every_bottom_diff,
    forward_leaves_bottoms_and_diffs,
    forward_twice_is_the_same,
    backward_changes_nothing_else,
    backward_reads_the_tops_where_it_says_so,
    backward_adds_to_param_diffs,
    propagate_down_false_leaves_the_diff,
    param_propagate_down_false_leaves_the_diff,
    in_place_equals_out_of_place,
    shapes_may_change_between_calls,
    tops_share_data_where_it_says_so,
    a_layer_without_backward_says_so,
]
