"""Other programs that run a Caffe net forward, where they are installed: onnxruntime, OpenCV 4's dnn, pycaffe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.timing import measure, say


def run(program: str, args: Any) -> None:
    """Time a net that prepare.py wrote, and print the result."""
    forward = {"onnxruntime": _onnxruntime, "opencv": _opencv, "pycaffe": _pycaffe}[program](
        Path(args.folder), args.threads
    )
    say(measure(forward, args.repeats), np.ravel(forward())[:1000].tolist())


def _onnxruntime(folder: Path, threads: int) -> Callable[[], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(folder / "net.onnx"), options, ["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: np.load(folder / "input.npy")}
    return lambda: session.run(None, feed)[0]


def _opencv(folder: Path, threads: int) -> Callable[[], Any]:
    import cv2

    cv2.setNumThreads(threads)
    net = cv2.dnn.readNetFromCaffe(str(folder / "net.prototxt"), str(folder / "net.caffemodel"))
    data = np.load(folder / "input.npy")

    def forward() -> Any:
        net.setInput(data)
        return net.forward()

    return forward


def _pycaffe(folder: Path, threads: int) -> Callable[[], Any]:
    import caffe  # its threads are BLAS's, which reads OMP_NUM_THREADS

    net = caffe.Net(str(folder / "net.prototxt"), str(folder / "net.caffemodel"), caffe.TEST)
    net.blobs[net.inputs[0]].data[...] = np.load(folder / "input.npy")
    return lambda: next(iter(net.forward().values()))
