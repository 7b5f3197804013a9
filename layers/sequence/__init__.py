"""Layers for sequences: axes T x N x ..., and connectionist temporal classification."""
