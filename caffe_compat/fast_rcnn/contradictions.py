"""Where a configuration and a net do not mean the same training."""

from __future__ import annotations

from collections.abc import Iterator

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.config import Config
from caffe_compat.layers.fast_rcnn.box_annotator_ohem import BoxAnnotatorOHEM
from caffe_compat.layers.fast_rcnn.hard_roi_mining import HardRoIMining
from caffe_compat.layers.fast_rcnn.roi_data import RoIDataLayer
from caffe_compat.net import Net


def check_against(net: Net, cfg: Config) -> list[str]:
    """What is to be told of a net that trains by a configuration, in words: it runs, but not as one would think.

    Raises DataError where it cannot run.
    """
    for layer in net.layers:
        if isinstance(layer, RoIDataLayer) and not layer.has_rpn:
            _check_tops(layer, cfg)
    return list(_surprises(net, cfg))


def _check_tops(layer: RoIDataLayer, cfg: Config) -> None:
    has_targets = len(layer.names) > 3
    if has_targets != cfg.TRAIN.BBOX_REG:
        tops = "box targets" if has_targets else "no box targets"
        raise DataError(
            f"TRAIN.BBOX_REG is {str(cfg.TRAIN.BBOX_REG).lower()}, and the tops of layer '{layer.name}' have {tops}; "
            "change one of them"
        )


def _surprises(net: Net, cfg: Config) -> Iterator[str]:
    train = cfg.TRAIN
    mining = [layer.name for layer in net.layers if isinstance(layer, HardRoIMining)]
    if mining and not train.USE_OHEM:
        yield (
            f"layer '{mining[0]}' picks hard RoIs, but TRAIN.USE_OHEM is false: it gets {train.BATCH_SIZE} sampled "
            f"RoIs to keep {train.BATCH_SIZE} of, and so mines nothing; set TRAIN.USE_OHEM to true"
        )
    if train.USE_OHEM and not mining:
        yield (
            "TRAIN.USE_OHEM is true, but no layer of the net picks hard RoIs: it learns from all of them; set "
            "TRAIN.USE_OHEM to false"
        )
    for layer in net.layers:
        if isinstance(layer, BoxAnnotatorOHEM) and 0 < train.BATCH_SIZE <= layer.param.roi_per_img:
            yield (
                f"layer '{layer.name}' picks the {layer.param.roi_per_img} hardest RoIs, but TRAIN.BATCH_SIZE is "
                f"{train.BATCH_SIZE}: it gets no more than these, and so mines nothing; set TRAIN.BATCH_SIZE to -1"
            )
