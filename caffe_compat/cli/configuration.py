"""The configuration of Fast R-CNN on a command line: --cfg and --set."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caffe_compat.fast_rcnn.config import Config


def read(args: argparse.Namespace) -> Config:
    """The defaults with what --cfg and --set change, in this order. Raises DataError."""
    from caffe_compat.fast_rcnn.config import Config, cfg_from_file, cfg_from_list

    cfg = Config()
    for path in args.cfg:
        cfg = cfg_from_file(path, cfg)
    return cfg_from_list([word for pair in args.set for word in pair], cfg)
