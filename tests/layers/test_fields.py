"""What facts.py says of each field holds: one that counts as honoured changes what some case computes, one
without effect changes nothing, one that is refused is an error. So each field has a case, and no layer forgets one."""

import functools
import warnings
from dataclasses import replace

import numpy as np
import pytest
from google.protobuf import text_format
from listed import assert_listed

from caffe_compat.errors import CaffeCompatError
from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.common.facts import MESSAGES, all_facts, facts
from caffe_compat.layers.registry import create_layer, layer_class, layer_type_list, register
from caffe_compat.rng import set_random_seed
from layers.cases import CASES
from layers.contract import gradients
from layers.data_cases import data_cases, give_data
from layers.harness import Case, Runner, parse, random_numbers
from layers.sweep import check_each, each_type

# what the layer types of BVLC master are; all others say whose they are
BVLC = """AbsVal Accuracy ArgMax BNLL BatchNorm BatchReindex Bias Clip Concat ContrastiveLoss Convolution Crop Data
Deconvolution Dropout DummyData ELU Eltwise Embed EuclideanLoss Exp Filter Flatten HDF5Data HDF5Output HingeLoss Im2col
ImageData InfogainLoss InnerProduct Input LRN LSTM LSTMUnit Log MVN MemoryData MultinomialLogisticLoss PReLU Parameter
Pooling Power Python RNN ReLU Reduction Reshape SPP Scale Sigmoid SigmoidCrossEntropyLoss Silence Slice Softmax
SoftmaxWithLoss Split Swish TanH Threshold Tile WindowData"""

# fields of which no case here can tell; each has a test of its own
ELSEWHERE = {
    "TransformedMaps.st_param.transform_type": "another makes it SpatialTransformer; spatial_transformer/",
    "LabeledMatching.labeled_matching_param.momentum": "changes the params; metric/test_matching.py",
    **{
        f"Reshape.reshape_param.new_{name}": "makes it PatchReshape; test_patch_reshape.py"
        for name in ("channel", "height", "width", "patch_width", "patch_height")
    },
    "LRNRistretto.lrn_param.norm_region": "has to be ACROSS_CHANNELS; ristretto/test_ristretto.py",
    "DepthwiseConvolution.convolution_param.group": "is what it is anyway; test_depthwise_convolution.py",
    **{
        f"Atlas.atlas_param.{name}": "it writes nothing; test_atlas.py"
        for name in ("model_name", "total_output_layer_nums", "output_shape")
    },
    **{
        f"DilatedByBottom.convolution_param.{name}": "has to be 1; test_dilated_by_bottom.py"
        for name in ("stride", "stride_h", "stride_w")
    },
    "MultiBoxFocalLoss.multibox_loss_param.map_object_to_agnostic": "is what two classes mean anyway",
    "MultiBoxLoss.multibox_loss_param.map_object_to_agnostic": "is what two classes mean anyway",
    "MultiStageMeanfield.multi_stage_meanfield_param.compatibility_mode": "has one value",
    "MultiStageMeanfieldAU3.multi_stage_meanfield_au3_param.compatibility_mode": "has one value",
    "ROIPooling.roi_pooling_param.is_rich": "makes it ROISparsePooling; test_papers.py",
    **{
        f"SumPooling.sum_pooling_param.{name}": "has to be 0; test_papers.py"
        for name in ("pad", "pad_h", "pad_w")
    },
    **{
        f"TripletLoss.triplet_loss_param.{name}": "is TripletSetLoss's"
        for name in ("losstype", "num_triplets", "use_pair")
    },
    "JMMDLoss.jmmd_param.fix_gamma": "counts from the second batch on; test_papers.py",
    **{
        f"Scale.scale_param.{name}": "makes it BoundedScale; test_papers.py"
        for name in ("min_value", "max_value")
    },
    **{
        f"MIL.mil_param.{name}": "makes it MILOfRows; test_mil.py"
        for name in ("context_per_roi", "instances_per_bag")
    },
    "Bias.bias_param.channel_shared": "the reader makes num_axes of it; prototxt/test_upgrade_renamed.py",
    "Scale.scale_param.scale_factor": "the reader makes a Power of it; prototxt/test_upgrade_renamed.py",
    "DetectionOutput.detection_output_param.do_state_prediction": (
        "makes it DetectionOutputStates; ssd/test_detection_output.py"
    ),
    **{
        f"PriorBox.prior_box_param.{name}": "make it PriorBoxOffset; ssd/test_prior_box.py"
        for name in ("offset_w", "offset_h")
    },
    "ROIPooling.roi_pooling_param.pool": "AVE is ROIAveragePooling's; test_papers.py",
    "SegAccuracy.seg_accuracy_param.reset": "is about several forwards; test_seg_accuracy.py",
    "CenterLoss.center_loss_param.axis": "has to be where the features begin; test_center_loss.py",
    "DetectionOutput.detection_output_param.save_output_param": "names the files it writes; test_detection_files.py",
    **{
        f"{type}.writer_param.{name}": "is where it writes; flow/test_flo_writer.py"
        for type in ("FLOWriter", "PFMWriter")
        for name in ("file", "folder", "prefix", "suffix")
    },
    "FlowWarp.flow_warp_param.fill_value": "makes NaN; flow/test_flow_warp.py",
    "HardRoIMining.hard_roi_mining_param.num_classes": "has to be what bottom[0] has; test_hard_roi_mining.py",
    "RegionLoss.region_loss_param.class_map": "names a file; layers/yolo/test_losses.py",
    "OPData.op_transform_param.sources": "names files; test_op_data.py",
    "CPMData.cpm_transform_param.aug_way": "has to be rand; test_cpm_data.py",
    "CPMData.cpm_transform_param.transform_body_joint": "has to be true; test_cpm_data.py",
    "ImageGtData.image_gt_data_param.coord_num": "has to be 4; test_object_data.py",
    "MMDLoss.mmd_param.fix_gamma": "counts from the second batch on; test_long_tail.py",
    **{
        f"MatWrite.mat_write_param.{name}": "is where it writes; test_mat_files.py"
        for name in ("prefix", "source", "strip", "period")
    },
    "MovingCenterLoss.center_loss_param.cluster_num": "has to be above the labels; test_metric.py",
    "MemoryData.transform_param.mean_file": "is read, and then not used; test_memory_data.py",
    "DetectionAccuracy.detection_accuracy_param.coord_num": "has to be 4; test_anchor_accuracies.py",
    "DetectionData.detection_data_param.coord_num": "has to be 4; test_object_data.py",
    "DetectionGroupLoss.detection_group_loss_param.neg_ranking_type": (
        "ranks alike but for what rounds to the same; test_anchor_losses.py"
    ),
    "DetectionLoss.detection_loss_param.coord_num": "has to be 4; test_anchor_losses.py",
    "FrcnnOutput.frcnn_output_param.save_output_param": "names the files it writes; test_frcnn_output.py",
    "HDF5Output.hdf5_output_param.file_name": "is where it writes; test_hdf5_output.py",
}

FACTS = {name: facts(layer_class(name), name) for name in layer_type_list()}
HONOURED = [
    (name, f"{message}.{field}")
    for name, known in FACTS.items()
    for message, fields in known.params.items()
    for field in fields
]
WITHOUT_EFFECT = [
    (name, field)
    for name, known in FACTS.items()
    for field in known.without_effect
    if f"{name}.{field}" not in ELSEWHERE
]
REFUSED = [(name, field) for name, known in FACTS.items() for field in known.refused]


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> list[Case]:
    return [*CASES, *data_cases(tmp_path_factory.mktemp("data"))]


@functools.cache
def outcome(case: Case) -> list[np.ndarray] | str:
    """What the layer makes of its params at first, and of three forwards and a backward; or its error."""
    bottoms = case.bottoms(random_numbers(1))
    try:
        set_random_seed(5)
        filled = [b.data.copy() for b in Runner(case.layer, bottoms, case.tops, case.phase).layer.blobs]
        set_random_seed(6)
        runner = Runner.of(case, bottoms)
        give_data(runner)
        tops = [top for _ in range(3) for top in runner.forward()]
        params = [b.data.copy() for b in runner.layer.blobs]
        return [*filled, *tops, *params, *(g for g in gradients(case, runner) if g is not None)]
    except CaffeCompatError as error:
        return error.message


def same(a: list[np.ndarray] | str, b: list[np.ndarray] | str) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    return len(a) == len(b) and all(np.array_equal(x, y, equal_nan=True) for x, y in zip(a, b, strict=True))


def with_field(case: Case, name: str, change) -> Case:
    """The case with one field changed: `change(message, field)`."""
    param = parse(case.layer)
    message, field = name.split(".")
    change(getattr(param, message), field)
    return replace(case, layer=text_format.MessageToString(param), id="")


def is_set(case: Case, name: str) -> bool:
    message, field = name.split(".")
    return field in {descriptor.name for descriptor, _ in getattr(parse(case.layer), message).ListFields()}


def set_other(message, field: str) -> None:
    """Give a field some value that is not its default."""
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    if descriptor.message_type:
        value = getattr(message, field)
        (value.add() if descriptor.is_repeated else value).SetInParent()
        return
    if descriptor.enum_type:
        values = [v.number for v in descriptor.enum_type.values]
        value = next((v for v in values if v != descriptor.default_value), values[0])
    elif descriptor.type == descriptor.TYPE_STRING:
        value = "something"
    elif descriptor.type == descriptor.TYPE_BOOL:
        value = not descriptor.default_value
    else:
        value = 3
    if descriptor.is_repeated:
        getattr(message, field).append(value)
    else:
        setattr(message, field, value)


@each_type(item for item in HONOURED if ".".join(item) not in ELSEWHERE)
def test_a_field_that_counts_as_honoured_changes_what_some_case_computes(type, items, cases):
    check_each(lambda name: assert_changes(type, name, cases), items)


def assert_changes(type: str, name: str, cases: list[Case]) -> None:
    tried = sorted((case for case in cases if case.type == type and is_set(case, name)), key=Case.size)
    assert tried, "no case sets it"
    for case in tried:
        got = outcome(case)
        assert not isinstance(got, str), f"{case.id}: {got}"
        if not same(got, outcome(with_field(case, name, lambda message, field: message.ClearField(field)))):
            return
    raise AssertionError("it changes nothing in any case that sets it")


@each_type(WITHOUT_EFFECT)
def test_a_field_without_effect_changes_nothing(type, items, cases):
    case = next(case for case in cases if case.type == type)

    def check(name):
        got = outcome(with_field(case, name, set_other))
        assert same(got, outcome(case)), got

    check_each(check, items)


@each_type(REFUSED)
def test_a_refused_field_is_an_error_with_the_way_out(type, items, cases):
    case = next(case for case in cases if case.type == type)

    def check(name):
        got = outcome(with_field(case, name, set_other))
        assert isinstance(got, str) and f"({type}): " in got and " has no effect here; " in got, got
        assert name in got or f"{name.split('.')[0]} has" in got

    check_each(check, items)


def test_a_message_for_other_types_has_no_effect_and_warns(cases):
    case = Case('type: "Pooling" pooling_param { kernel_size: 2 }', [(2, 3, 5, 4)])
    other = replace(case, layer=case.layer + " relu_param { negative_slope: 0.5 } loss_param { }")
    with pytest.warns(UserWarning) as told:
        assert same(outcome(other), outcome(case))
    assert {str(warning.message) for warning in told} == {
        f"layer 'layer' (Pooling): {name} is for other types of layers; it has no effect, as in Caffe"
        for name in ("relu_param", "loss_param")
    }


def test_messages_that_are_read_do_not_warn(cases):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for case in cases:
            create_layer(parse(case.layer), TRAIN)


def test_a_users_own_type_may_read_any_message(monkeypatch):
    monkeypatch.setattr("caffe_compat.layers.registry.registered", {})
    register("Mine")(type("Mine", (Layer,), {"__module__": "mine"}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        create_layer(parse('type: "Mine" relu_param { }'), TRAIN)


def test_every_layer_type_says_whose_it_is():
    assert_listed(
        BVLC.split(),
        (name for name, known in FACTS.items() if known.origin == "BVLC"),
        "its class has no origin; say whose it is, or add it to BVLC, if BVLC's Caffe has it",
        "its class has an origin, so it is not BVLC's; take it out of BVLC",
    )
    without = [known.type for known in all_facts() if not known.origin]
    assert not without, f"{without}: their classes say no origin"


def test_exceptions_exist():
    fields = {f"{message}.{field.name}" for message in MESSAGES for field in MESSAGES[message].fields}
    assert all(name.split(".", 1)[1] in fields and name.split(".")[0] in FACTS for name in ELSEWHERE)
