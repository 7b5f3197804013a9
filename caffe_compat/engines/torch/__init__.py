"""Nets by PyTorch, on a CPU or a GPU: one small function a layer type says what it computes in torch's operators."""
