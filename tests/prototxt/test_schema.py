"""The schema has the real field numbers, and the generated module is that of caffe.proto."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from caffe_compat.prototxt import caffe_pb2

ROOT = Path(__file__).parent.parent.parent

# message.field: number, from the sources of the forks
NUMBERS = {
    "BlobProto.double_data": 8,
    "BlobProto.shape": 7,
    "LayerParameter.convolution_param": 106,
    "LayerParameter.box_annotator_ohem_param": 10000,
    "LayerParameter.clip_param": 148,
    "LayerParameter.multibox_loss_param": 201,
    "LayerParameter.norm_param": 206,
    "LayerParameter.permute_param": 202,
    "LayerParameter.prior_box_param": 203,
    "LayerParameter.propagate_down": 11,
    "LayerParameter.psroi_pooling_param": 10001,
    "LayerParameter.recurrent_param": 146,
    "LayerParameter.roi_pooling_param": 8266711,
    "LayerParameter.shuffle_channel_param": 164,
    "LayerParameter.smooth_l1_loss_param": 8266712,
    "BoxAnnotatorOHEMParameter.ignore_label": 2,
    "DropoutParameter.scale_train": 2,
    "InterpParameter.pad_end": 6,
    "InterpParameter.zoom_factor": 3,
    "LossParameter.pre_fixed_normalizer": 4,
    "NetParameter.layer": 100,
    "NetParameter.layers": 2,
    "PSROIPoolingParameter.group_size": 3,
    "ROIAlignParameter.spatial_scale": 3,
    "SolverParameter.layer_wise_reduce": 41,
    "SolverState.history": 3,
    "UpsampleParameter.pad_out_w": 5,
    "UpsampleParameter.upsample_h": 6,
    "V0LayerParameter.hdf5_output_param": 1001,
    "V1LayerParameter.blob_share_mode": 1002,
}


@pytest.mark.parametrize("name", NUMBERS)
def test_field_numbers(name: str) -> None:
    message, field = name.split(".")
    descriptor = caffe_pb2.DESCRIPTOR.message_types_by_name[message].fields_by_name[field]
    assert descriptor.number == NUMBERS[name]


def test_defaults_of_this_project() -> None:
    param = caffe_pb2.HardRoIMiningParameter()
    assert (param.batch_size, param.use_nms, round(param.nms_thresh, 6)) == (64, True, 0.7)


def test_enums() -> None:
    assert (caffe_pb2.TRAIN, caffe_pb2.TEST, caffe_pb2.Phase.Name(1)) == (0, 1, "TEST")
    assert caffe_pb2.ParamSpec.PERMISSIVE == 1
    assert caffe_pb2.V1LayerParameter.LayerType.Value("DECONVOLUTION") == 39


def test_another_schema_of_this_name_does_no_harm() -> None:
    """A process may hold a pycaffe's caffe.proto too, which protobuf's shared pool allows only once."""
    program = """
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import Default
other = FileDescriptorProto(name="caffe.proto", package="caffe")
other.message_type.add(name="NetParameter")
Default().Add(other) if hasattr(Default(), "Add") else Default().AddSerializedFile(other.SerializeToString())
from caffe_compat.prototxt.caffe_pb2 import NetParameter
assert NetParameter(name="a").name == "a"
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def _generator():
    pytest.importorskip("grpc_tools", reason="needs grpcio-tools to compile caffe.proto")
    spec = importlib.util.spec_from_file_location("generate_proto", ROOT / "scripts" / "generate_proto.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _as_loaded(schema: FileDescriptorProto) -> FileDescriptorProto:
    """The schema as protobuf gives it back once loaded: it writes some defaults in another way."""
    pool = DescriptorPool()
    pool.AddSerializedFile(schema.SerializeToString())
    return FileDescriptorProto.FromString(pool.FindFileByName("caffe.proto").serialized_pb)


def test_generated_module_is_not_stale(tmp_path: Path) -> None:
    generator = _generator()
    schema = generator.compile_schema(generator.PROTO, tmp_path)
    generated = FileDescriptorProto.FromString(caffe_pb2.DESCRIPTOR.serialized_pb)
    assert generated == _as_loaded(schema), "caffe.proto has changed; run scripts/generate_proto.py"
    changed = FileDescriptorProto.FromString(schema.SerializeToString())
    changed.message_type[3].field[0].number += 100
    assert generated != _as_loaded(changed)


def test_generated_stub_is_not_stale() -> None:
    stub = (ROOT / "prototxt" / "caffe_pb2.pyi").read_text()
    for name, message in caffe_pb2.DESCRIPTOR.message_types_by_name.items():
        body = stub.partition(f"class {name}(")[2].partition("def __init__")[0]
        for field in message.fields:
            assert f"{field.name.upper()}_FIELD_NUMBER" in body, "run scripts/generate_proto.py"


def test_a_schema_with_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    proto = tmp_path / "caffe.proto"
    proto.write_text('syntax = "proto2"; message A { optional int32 a = 1; optional int32 b = 1; }')
    with pytest.raises(RuntimeError, match="protoc cannot compile"):
        _generator().compile_schema(proto, tmp_path)
    assert "already been used" in capfd.readouterr().err
