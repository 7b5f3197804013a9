"""A regular package, so that it comes before the layers folder beside tests, which python -m puts on the path."""
