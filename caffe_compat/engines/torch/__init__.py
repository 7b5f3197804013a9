"""Runs nets by PyTorch, on a CPU or a GPU: one small function a layer type computes it with torch's operators."""
