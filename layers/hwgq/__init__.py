"""Weights of two values and activations of few: HWGQ-Net's layers."""
