"""The three products of a convolution, in a faster way, against the plain one."""

from __future__ import annotations

import numpy as np


def check_the_three_products(fast, plain, images, filters, out_diffs, tolerance):
    """tolerance: of the largest number of each product."""

    def assert_near(got, want):
        assert np.abs(got - want).max() <= tolerance * np.abs(want).max()

    bias = np.random.RandomState(5).standard_normal(len(filters)).astype(np.float32)
    for with_bias in (bias, None):
        got, want = np.full_like(out_diffs, np.nan), np.empty_like(out_diffs)
        fast.forward(images, filters, with_bias, got)
        plain.forward(images, filters, with_bias, want)
        assert_near(got, want)
    got, want = np.full_like(filters, 7), np.full_like(filters, 7)  # it adds
    fast.add_filters_gradient(images, out_diffs, got)
    plain.add_filters_gradient(images, out_diffs, want)
    assert_near(got - 7, want - 7)
    got, want = np.full_like(images, np.nan), np.empty_like(images)
    fast.image_gradient(out_diffs, filters, got)
    plain.image_gradient(out_diffs, filters, want)
    assert_near(got, want)
