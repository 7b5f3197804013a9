"""Finds the first NaN or inf of a run, and runs the one layer that made it again."""
