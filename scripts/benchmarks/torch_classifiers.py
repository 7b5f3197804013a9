"""The five classifiers whose training is timed, as one writes them in PyTorch: modules of torch.nn."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def _pool(kind: type[nn.Module]) -> nn.Module:
    return kind(3, 2, ceil_mode=True)


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(800, 500), nn.ReLU(True), nn.Linear(500, 10),
    )  # fmt: skip


def cifar10_quick() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 32, 5, padding=2), _pool(nn.MaxPool2d), nn.ReLU(True),
        nn.Conv2d(32, 32, 5, padding=2), nn.ReLU(True), _pool(nn.AvgPool2d),
        nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(True), _pool(nn.AvgPool2d),
        nn.Flatten(), nn.Linear(1024, 64), nn.Linear(64, 10),
    )  # fmt: skip


def alexnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, 4), nn.ReLU(True), nn.LocalResponseNorm(5), _pool(nn.MaxPool2d),
        nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(True), nn.LocalResponseNorm(5), _pool(nn.MaxPool2d),
        nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(True),
        nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU(True),
        nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(True), _pool(nn.MaxPool2d),
        nn.Flatten(), nn.Linear(9216, 4096), nn.ReLU(True), nn.Dropout(0.5),
        nn.Linear(4096, 4096), nn.ReLU(True), nn.Dropout(0.5), nn.Linear(4096, 1000),
    )  # fmt: skip


class _Inception(nn.Module):
    def __init__(self, channels: int, one: int, three: tuple[int, int], five: tuple[int, int], pooled: int):
        super().__init__()

        def conv(first: int, outputs: int, size: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(first, outputs, size, padding=size // 2), nn.ReLU(True))

        self.branches = nn.ModuleList([
            conv(channels, one, 1),
            nn.Sequential(conv(channels, three[0], 1), conv(*three, 3)),
            nn.Sequential(conv(channels, five[0], 1), conv(*five, 5)),
            nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(channels, pooled, 1)),
        ])  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def googlenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3), nn.ReLU(True), _pool(nn.MaxPool2d), nn.LocalResponseNorm(5),
        nn.Conv2d(64, 64, 1), nn.ReLU(True), nn.Conv2d(64, 192, 3, padding=1), nn.ReLU(True),
        nn.LocalResponseNorm(5), _pool(nn.MaxPool2d),
        _Inception(192, 64, (96, 128), (16, 32), 32), _Inception(256, 128, (128, 192), (32, 96), 64),
        _pool(nn.MaxPool2d),
        _Inception(480, 192, (96, 208), (16, 48), 64), _Inception(512, 160, (112, 224), (24, 64), 64),
        _Inception(512, 128, (128, 256), (24, 64), 64), _Inception(512, 112, (144, 288), (32, 64), 64),
        _Inception(528, 256, (160, 320), (32, 128), 128), _pool(nn.MaxPool2d),
        _Inception(832, 256, (160, 320), (32, 128), 128), _Inception(832, 384, (192, 384), (48, 128), 128),
        nn.AvgPool2d(7), nn.Flatten(), nn.Dropout(0.4), nn.Linear(1024, 1000),
    )  # fmt: skip


class _Bottleneck(nn.Module):
    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()

        def conv(first: int, outputs: int, size: int, step: int = 1) -> list[nn.Module]:
            return [nn.Conv2d(first, outputs, size, step, size // 2, bias=False), nn.BatchNorm2d(outputs)]

        self.body = nn.Sequential(
            *conv(channels, width, 1, stride), nn.ReLU(True), *conv(width, width, 3), nn.ReLU(True),
            *conv(width, 4 * width, 1),
        )  # fmt: skip
        self.shortcut = (
            nn.Identity() if channels == 4 * width else nn.Sequential(*conv(channels, 4 * width, 1, stride))
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu_(self.body(x) + self.shortcut(x))


def resnet50() -> nn.Module:
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3),
        nn.BatchNorm2d(64),
        nn.ReLU(True),
        _pool(nn.MaxPool2d),
    ]
    channels = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            layers.append(_Bottleneck(channels, 64 << stage, 2 if stage and not block else 1))
            channels = 256 << stage
    return nn.Sequential(*layers, nn.AvgPool2d(7), nn.Flatten(), nn.Linear(2048, 1000))


CLASSIFIERS: dict[str, Callable[[], nn.Module]] = {
    one.__name__: one for one in (lenet, cifar10_quick, alexnet, googlenet, resnet50)
}
