"""YAML as Caffe's Python layers and the files of Fast R-CNN have it: no objects are made, but Python's tuples are."""

from __future__ import annotations

import warnings
from typing import Any

import yaml


class Loader(yaml.SafeLoader):
    """A safe loader that knows `!!python/tuple`; whatever it cannot read is a yaml.YAMLError.

    param_str of the nets for COCO has tuples, and users' old Python layers, which called yaml.load without a
    loader, want them as such; Fast R-CNN's configuration files have them too, and take a list for the same.
    A key that stands twice is a warning: the last one counts.
    """

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                mark = key.start_mark
                warnings.warn(
                    f"{mark.name}:{mark.line + 1}: the key '{key.value}' stands here again, and the last one counts",
                    stacklevel=2,
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def get_single_data(self) -> Any:
        try:
            return super().get_single_data()
        # too deep; a key that has a list; the 31st of June
        except (RecursionError, TypeError, ValueError) as error:
            raise yaml.YAMLError(str(error)) from error


def _construct_tuple(loader: Any, node: Any) -> tuple:
    return tuple(loader.construct_sequence(node))


Loader.add_constructor("tag:yaml.org,2002:python/tuple", _construct_tuple)


class Dumper(yaml.SafeDumper):
    """Writes what `Loader` reads; anything else is a yaml.YAMLError."""


def _represent_tuple(dumper: Any, values: tuple) -> Any:
    return dumper.represent_sequence("tag:yaml.org,2002:python/tuple", values)


Dumper.add_representer(tuple, _represent_tuple)
