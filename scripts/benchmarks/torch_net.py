"""A net that prepare.py wrote, in PyTorch: batch norm folded into the convolutions, ReLU in place, LRN without pow."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812


class TorchNet:
    """Forward in inference mode, in channels last or not. `ms` has the milliseconds of each layer of the last call."""

    def __init__(self, folder: str, channels_last: bool):
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.params: dict[str, list[torch.Tensor]] = {}
        with np.load(Path(folder) / "net.npz") as file:
            for key in file.files:  # in the order of a layer's params
                self.params.setdefault(key.rsplit(":", 1)[0], []).append(torch.from_numpy(file[key]))
        self.layers = _folded(json.loads((Path(folder) / "net.json").read_text()), self.params)
        for blobs in self.params.values():
            if blobs[0].dim() == 4:
                blobs[0] = blobs[0].contiguous(memory_format=self.format)
        self.data = torch.from_numpy(np.load(Path(folder) / "input.npy"))
        self.ms: dict[str, float] = {}

    @torch.inference_mode()
    def forward(self) -> torch.Tensor:
        """The net's output."""
        blobs = {self.layers[0]["top"][0]: self.data.contiguous(memory_format=self.format)}
        for layer in self.layers[1:]:
            start = time.perf_counter()
            bottoms = [blobs[name] for name in layer["bottom"]]
            top = self._top(layer, bottoms)
            blobs.update(dict.fromkeys(layer["top"], top))
            self.ms[layer["name"]] = 1000 * (time.perf_counter() - start)
        return top

    def _top(self, layer: dict, bottoms: list[torch.Tensor]) -> torch.Tensor:
        x, kind, params = bottoms[0], layer["type"], self.params.get(layer["name"], [])
        if kind == "Convolution":
            bias = params[1] if len(params) > 1 else None
            return F.conv2d(x, params[0], bias, layer["stride"], layer["pad"], groups=layer["group"])
        if kind == "InnerProduct":
            return F.linear(x.contiguous().flatten(1), *params)
        if kind == "ReLU":
            return x.relu_()
        if kind == "Pooling":
            return _pool(x, layer)
        if kind == "LRN":
            return _lrn(x, layer)
        if kind == "Concat":
            return torch.cat(bottoms, 1)
        if kind == "Eltwise":
            return bottoms[0] + bottoms[1]
        if kind == "Softmax":
            return F.softmax(x, 1)
        if kind in ("Split", "Dropout"):
            return x
        raise NotImplementedError(f"{layer['name']}: {kind}")


def _folded(layers: list[dict], params: dict[str, list[torch.Tensor]]) -> list[dict]:
    """The layers without BatchNorm and Scale, which go into the convolution before them."""
    result: list[dict] = []
    for layer in layers:
        if layer["type"] in ("BatchNorm", "Scale"):
            conv, own = params[result[-1]["name"]], params.pop(layer["name"])
            if layer["type"] == "BatchNorm":
                mean, variance, count = own
                scale = (variance / count + layer["eps"]).rsqrt()
                shift = -mean / count * scale
            else:
                scale, shift = own
            bias = conv[1] if len(conv) > 1 else torch.zeros(len(conv[0]))
            conv[:] = [conv[0] * scale.view(-1, 1, 1, 1), bias * scale + shift]
        else:
            result.append(layer)
    return result


def _pool(x: torch.Tensor, layer: dict) -> torch.Tensor:
    if layer["size"] == 0:
        return x.amax((2, 3), True) if layer["method"] == "MAX" else x.mean((2, 3), True)
    pool = F.max_pool2d if layer["method"] == "MAX" else F.avg_pool2d
    return pool(x, layer["size"], layer["stride"], layer["pad"], ceil_mode=True)


def _lrn(x: torch.Tensor, layer: dict) -> torch.Tensor:
    assert layer["beta"] == 0.75
    squares = x * x
    base = squares.clone()
    for shift in range(1, layer["size"] // 2 + 1):
        base[:, shift:] += squares[:, :-shift]
        base[:, :-shift] += squares[:, shift:]
    base.mul_(layer["alpha"] / layer["size"]).add_(layer["k"])
    return base.sqrt().mul_(base).rsqrt_().mul_(x)
