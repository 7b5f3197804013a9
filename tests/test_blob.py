"""Diffs that are cleared, or that somebody will fill: what is seen of them, and when they are filled."""

from __future__ import annotations

import numpy as np

from caffe_compat.blob import Blob


def with_diff() -> Blob:
    blob = Blob((2, 3))
    blob.diff[...] = 7
    return blob


def test_a_cleared_diff_is_zero():
    blob = with_diff()
    blob.clear_diff()
    np.testing.assert_array_equal(blob.diff, np.zeros((2, 3)))


def test_what_has_no_diff_gets_none_by_clearing():
    blob = Blob((2, 3))
    blob.clear_diff()
    assert not blob.has_diff


def test_the_first_to_add_may_write_instead():
    blob = with_diff()
    assert blob.diff_to_add()[1]
    blob.clear_diff()
    array, add = blob.diff_to_add()
    assert not add
    array[...] = 5
    del array
    array, add = blob.diff_to_add()
    assert add and (array == 5).all()


def test_held_arrays_are_filled_at_once():
    blob = with_diff()
    blob.track()
    held = blob.diff
    blob.clear_diff()
    assert (held == 0).all()
    assert blob.diff_to_add()[1]  # it is zero already: adding is right
    blob.defer_diff(lambda diff: diff.fill(3))
    assert (held == 3).all()


def test_blobs_that_share_a_diff_fill_it_together():
    blob, other = with_diff(), Blob((2, 3))
    other.share_diff(blob)
    blob.defer_diff(lambda diff: diff.fill(3))
    assert (other.diff == 3).all() and (blob.diff == 3).all()
    other.clear_diff()
    assert not blob.diff_to_add()[1] and other.diff_to_add()[1]


def test_views_of_what_was_given_count_as_held():
    blob = Blob((2, 3))
    blob.track()
    view = blob.data[1:].T
    assert blob.data_is_held
    blob.defer_data(lambda data: data.fill(4))
    assert (view == 4).all()
    del view
    assert not blob.data_is_held
    blob.defer_data(lambda data: data.fill(5))
    assert blob.pending_data is not None and (blob.data == 5).all() and blob.pending_data is None


def test_memory_of_data_that_is_pending_can_be_given_back():
    blob = Blob((3, 5))
    blob.track()
    blob.data[...] = 7
    blob.release_data()
    assert (blob.data == 7).all()  # nothing is pending
    blob.defer_data(lambda array: array.fill(4))
    blob.release_data()
    assert not blob.allocated() and (blob.data == 4).all()
    held = blob.data
    blob.defer_data(lambda array: array.fill(9))
    blob.release_data()
    assert (held == 9).all() and np.shares_memory(held, blob.data)
