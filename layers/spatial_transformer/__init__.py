"""Spatial transformers: maps sampled at places that are learned, and losses that keep these in the map."""
