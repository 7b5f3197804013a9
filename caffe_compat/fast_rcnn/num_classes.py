"""Whether a net is for as many classes as a data set has, and what to change where it is not."""

from __future__ import annotations

from collections.abc import Iterator

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.classes import option
from caffe_compat.fast_rcnn.dataset import Dataset, class_counts
from caffe_compat.layers.fast_rcnn.hard_roi_mining import OHEMDataLayer
from caffe_compat.layers.fast_rcnn.roi_data import RoIDataLayer
from caffe_compat.layers.rpn.proposal_target import ProposalTargetLayer
from caffe_compat.net import Net


def check_num_classes(net: Net, dataset: Dataset) -> None:
    """Raise DataError where a layer's num_classes, with the background, is not that of the data set.

    Its message has both numbers, and says which layers to change, or which classes to name.
    """
    found, wanted = _num_classes(net), len(dataset.classes)
    wrong = {name: number for name, number in found.items() if number != wanted}
    if not wrong:
        return
    number = next(iter(wrong.values()))
    ways = [f"set num_classes of {_all(wrong)} to {wanted}"]
    ways += [f"{field} of '{name}' to {value}" for field, name, value in _outputs(net, number, wanted)]
    change = ", ".join(ways)
    there = [name for name, count in class_counts(dataset).items() if count]
    if len(there) + 1 == number:
        change = (
            f"the annotations have objects of {len(there)} classes only: give {option(there)}, or {change}"
        )
    raise DataError(
        f"the net is for {number} classes (num_classes of {_all(wrong)}), {dataset.name} has {wanted}, both with the "
        f"background; {change}"
    )


def _num_classes(net: Net) -> dict[str, int]:
    """What layers are told of the number of classes, by their names."""
    result = {}
    for name, layer in zip(net.layer_names, net.layers, strict=True):
        agnostic = isinstance(layer, ProposalTargetLayer) and layer.agnostic
        if isinstance(layer, RoIDataLayer | ProposalTargetLayer | OHEMDataLayer) and not agnostic:
            result[name] = layer.num_classes
    return result


def _all(names: dict[str, int]) -> str:
    return " and ".join(f"'{name}'" for name in names)


def _outputs(net: Net, found: int, wanted: int) -> Iterator[tuple[str, str, int]]:
    """What gives another number of outputs for another number of classes: field, layer and its new value."""
    params = {name: layer.layer_param for name, layer in zip(net.layer_names, net.layers, strict=True)}
    bins = {param.psroi_pooling_param.group_size**2 for param in params.values()} - {0}  # of R-FCN
    for name, param in params.items():
        filters = param.convolution_param.num_output
        fields = [("num_output", param.inner_product_param.num_output, 1)]
        fields += [("output_dim", param.psroi_pooling_param.output_dim, 1)]
        fields += [("num_output", filters, cells) for cells in bins]
        for field, value, cells in fields:
            for times in (cells, 4 * cells):
                if value and value == times * found:
                    yield field, name, times * wanted
