"""The configuration of Fast R-CNN on a command line: --cfg and --set."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from caffe_compat.cli import console

if TYPE_CHECKING:
    from caffe_compat.fast_rcnn.config import Config
    from caffe_compat.net import Net


def read(args: argparse.Namespace, default: Config | None = None) -> Config:
    """The default (None: the reference's) with what --cfg and --set change, in this order. Raises DataError.

    A --cfg is a whole configuration, so that the default counts without one only.
    """
    from caffe_compat.fast_rcnn.config import Config, cfg_from_file, cfg_from_list

    cfg = Config() if default is None or args.cfg else default
    for path in args.cfg:
        cfg = cfg_from_file(path, cfg)
    return cfg_from_list([word for pair in args.set for word in pair], cfg)


def test_net(args: argparse.Namespace, cfg: Config) -> Net:
    """The net of a command that detects or proposes, without weights. Raises CaffeCompatError."""
    import caffe_compat as caffe

    return caffe.Net(
        args.net,
        caffe.TEST,
        layer_settings=cfg.layer_settings(),
        dialect=args.dialect,
        python_layers=console.may_import(args),
    )


def for_nets(args: argparse.Namespace, cfg: Config, nets: Sequence[Net]) -> Config:
    """The configuration of nets that were made with `cfg`, the first of which it is for, and which get its settings.

    It is `cfg` with --cfg; without, --set changes keys of what the net would run by. Raises DataError.
    """
    from caffe_compat.fast_rcnn.feed import configure, default_configuration

    if args.cfg:
        return cfg
    cfg = read(args, default_configuration(nets[0]))
    for net in nets:
        configure(net, cfg)
    return cfg
