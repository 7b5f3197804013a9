"""A net that is looked at and not run: Python layers whose modules may not be imported are in it, by their names."""

from __future__ import annotations

from caffe_compat.backward_plan import LayerPlan, plan_backward
from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.python import is_built_in
from caffe_compat.net import Net


class _NotImported(Layer):
    """In the place of a Python layer. As there, any number of bottoms and tops; params are not known."""

    bottom_count = (0, None)
    top_count = (0, None)
    in_place = True


class _Unknown(Blob):
    """A blob whose shape only somebody knows who imports what it depends on."""

    __slots__ = ()
    shape = None  # type: ignore[assignment]
    count = 0


class SeenNet(Net):
    """A net to look at. With python_layers=False a Python layer that is not built in keeps its place, but its tops have
    the shape None, unless it works in place. So have those of the layers behind it, which are not set up: of their
    params there are those that the file has an entry for.

    Attributes: not_imported, layer name -> module.class.
    """

    @property
    def not_imported(self) -> dict[str, str]:
        params = [layer.layer_param for layer in self.layers if isinstance(layer, _NotImported)]
        return {one.name: f"{one.python_param.module}.{one.python_param.layer}" for one in params}

    def plan_if_it_learns(self) -> list[LayerPlan]:
        """The plan that there would be if each layer that is not imported had a param that learns."""
        layers = list(self.layers)
        for i, layer in enumerate(layers):
            if isinstance(layer, _NotImported):
                layers[i] = _NotImported(layer.layer_param, layer.phase)
                layers[i].blobs.extend([Blob()] * (len(layer.layer_param.param) + 1))
        return plan_backward(self.graph, layers, self.propagate_down, self.param.force_backward)

    def _create(self, index: int) -> Layer:
        param = self.param.layer[index]
        if self.python_layers or param.type != "Python" or is_built_in(param):
            return super()._create(index)
        return _NotImported(param, param.phase)

    def _make_blobs(self) -> list[Blob]:
        unknown: set[int] = set()
        for node, layer in zip(self.graph.nodes, self.layers, strict=True):
            if isinstance(layer, _NotImported) or unknown.intersection(node.bottoms):
                unknown.update(set(node.tops).difference(node.bottoms))
        return [_Unknown() if i in unknown else Blob() for i in range(len(self.graph.blob_names))]

    def _set_up(self, index: int) -> None:
        blobs = [*self.bottoms[index], *self.tops[index]]
        if any(isinstance(blob, _Unknown) for blob in blobs):
            self.layers[index].blobs.extend(_Unknown() for _ in self.param.layer[index].param)
        else:
            super()._set_up(index)
