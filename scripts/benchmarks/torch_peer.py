"""The benchmark's PyTorch programs. The iteration is that of torch_ohem.py in the folder --bench."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from benchmarks.cases import PARAMS, Case
from benchmarks.prepare import training_case
from benchmarks.timing import measure, say
from benchmarks.torch_classifiers import CLASSIFIERS
from benchmarks.torch_net import TorchNet
from benchmarks.workloads import bench, blobs

SGD = {"lr": 0.001, "momentum": 0.9, "weight_decay": 0.0005, "fused": True}


def run(case: Case, args: Any) -> None:
    """Time a case and print the result."""
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    if case.kind == "forward":
        net = _faster(args.folder)
        result = measure(net.forward, args.repeats)
        say({**result, "layers": net.ms}, net.forward().flatten()[:1000].tolist())
    elif case.kind == "update":
        say(measure(_update(), args.repeats))
    elif case.kind == "learn":
        say(measure(_learn(case), args.repeats))
    else:
        _fast_rcnn(case, args)


def _faster(folder: str) -> TorchNet:
    """The net in the memory format that is faster here."""

    def seconds(net: TorchNet) -> float:
        net.forward()
        start = time.perf_counter()
        for _ in range(3):
            net.forward()
        return time.perf_counter() - start

    times = {last: seconds(TorchNet(folder, last)) for last in (True, False)}
    return TorchNet(folder, min(times, key=lambda last: times[last]))


def _update() -> Callable[[], object]:
    params = [torch.nn.Parameter(torch.randn(size)) for size in PARAMS]
    for param in params:
        param.grad = torch.randn_like(param)
    return torch.optim.SGD(params, **SGD).step


def _learn(case: Case) -> Callable[[], object]:
    """Forward and backward of a classifier, in the memory format that is faster here."""

    def seconds(run: Callable[[], object]) -> float:
        run()
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    formats = torch.channels_last, torch.contiguous_format
    times = {one: seconds(_iteration(case, one)) for one in formats}
    return _iteration(case, min(formats, key=lambda one: times[one]))


def _iteration(case: Case, memory: torch.memory_format) -> Callable[[], object]:
    net, arrays = training_case(case)
    data, label = (torch.from_numpy(arrays[name]) for name in ("data", "label"))
    data, label = data.contiguous(memory_format=memory), label.long().flatten()
    module = CLASSIFIERS[case.net.split("_deploy")[0]]().to(memory_format=memory).train()
    learned = sum(blob.count for blob in map(net.param_blob, net.learnable))
    own = sum(param.numel() for param in module.parameters())
    assert abs(own - learned) < 0.005 * learned, (own, learned)  # BatchNorm keeps its statistics as params

    def iteration() -> None:
        module.zero_grad()
        torch.nn.functional.cross_entropy(module(data), label).backward()

    return iteration


def _fast_rcnn(case: Case, args: Any) -> None:
    workload, _ = bench(args.bench)
    import numba
    import torch_ohem

    numba.set_num_threads(min(args.threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    torch_ohem.keep_freed_memory()
    arrays = blobs(args.bench, args.rois or case.rois, args.side)
    net = torch_ohem.Net(workload.weights())
    if case.kind == "test":
        forward = _test(torch_ohem, net, arrays)
        say(measure(forward, args.repeats), forward().flatten()[:1000].tolist())
        return

    def iteration() -> None:
        torch_ohem.iteration(net, arrays)

    if case.kind == "train":
        say(measure(iteration, args.repeats))
        return
    optimizer = torch.optim.SGD([value for value in net.params.values() if value.requires_grad], **SGD)

    def step() -> None:
        iteration()
        optimizer.step()

    say(measure(step, args.repeats))


def _test(torch_ohem: Any, net: Any, arrays: dict[str, np.ndarray]) -> Callable[[], torch.Tensor]:
    """The TEST net's class probabilities: torch_ohem.py's read-only branch without dropout."""
    matrix, bias = net.params["fc6_w"], net.params["fc6_b"]
    filters = matrix.view(4096, torch_ohem.POOLED, torch_ohem.POOLED, -1).permute(0, 3, 1, 2)

    def fc6(x: torch.Tensor) -> torch.Tensor:
        # what is faster: without AVX512 oneDNN takes ten times as long for a convolution as large as its image
        if torch.backends.cpu.get_cpu_capability() == "AVX512":
            return torch.nn.functional.conv2d(x, filters, bias).flatten(1)
        return torch.nn.functional.linear(x.permute(0, 2, 3, 1).flatten(1), matrix, bias)

    @torch.inference_mode()
    def forward() -> torch.Tensor:
        x = torch_ohem.RoIPool.apply(net.trunk(torch.from_numpy(arrays["data"])), arrays["rois"])
        x = fc6(x).relu_()
        x = net.layer(torch.nn.functional.linear, x, "fc7").relu_()
        net.layer(torch.nn.functional.linear, x, "bbox_pred")
        return torch.softmax(net.layer(torch.nn.functional.linear, x, "cls_score"), 1)

    return forward
