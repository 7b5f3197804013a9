"""Nets as ONNX models: one small function a layer type says what it is in ONNX's operators."""
