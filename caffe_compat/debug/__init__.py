"""Finds what is wrong with values: NaN, inf, losses that mean something."""
