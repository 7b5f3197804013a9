"""Every registered layer keeps the layer contract: every clause over each case."""

from listed import assert_listed

from caffe_compat.layers.registry import layer_type_list
from layers.cases import CASES
from layers.contract import CLAUSES
from layers.sweep import check_each, each_type

WITHOUT_CASES = {
    "Atlas": "writes nothing; test_atlas.py",
    "AnnotatedData": "needs a database; test_annotated_data.py",
    "Data": "needs a database; test_data.py",
    "BoxData": "needs files; test_box_data.py",
    "CPMData": "needs a database; test_cpm_data.py",
    "OPData": "needs databases; test_op_data.py",
    "CustomData": "needs a database; test_custom_data.py",
    "DenseImageData": "needs files; test_image_pairs.py",
    "DetectNetTransformation": "draws random numbers of its own; test_detectnet.py",
    "FLOWriter": "writes files; test_flo_writer.py",
    "HDF5Data": "needs files; test_hdf5_data.py",
    "HDF5Output": "writes its file once; test_hdf5_output.py",
    "ImageData": "needs files; test_image_data.py",
    "ImageFloatData": "needs files; test_number_lists.py",
    "ImageLabelmapData": "needs files; test_image_pairs.py",
    "ImageSegData": "needs files; test_image_pairs.py",
    "DetectionData": "needs files; test_object_data.py",
    "EvalData": "needs files; test_eval_data.py",
    "DataHeatmap": "needs files; test_data_heatmap.py",
    "ImageGtData": "needs files; test_object_data.py",
    "Input": "has no bottoms and writes nothing; test_input.py",
    "MILData": "needs files; test_mil_data.py",
    "MatRead": "needs files; test_mat_files.py",
    "MatWrite": "writes files; test_mat_files.py",
    "MemoryData": "needs arrays; test_memory_data.py",
    "MultiLabelImageData": "needs files; test_number_lists.py",
    "PFMWriter": "writes files; test_flo_writer.py",
    "Python": "runs users' classes; test_python.py",
    "RoIData": "needs minibatches; test_roi_data.py",
    "SegData": "needs files; test_seg_data.py",
    "VideoData": "needs files; test_video_data.py",
    "WindowData": "needs files; test_window_data.py",
}


def test_every_layer_type_has_a_case():
    assert_listed(
        [*WITHOUT_CASES, *{case.type for case in CASES}.difference(WITHOUT_CASES)],
        layer_type_list(),
        "add a case to tests/layers/cases/, or a reason to WITHOUT_CASES",
        "no layer type; take its cases and its reason out",
    )
    both = set(WITHOUT_CASES).intersection(case.type for case in CASES)
    assert not both, f"{sorted(both)}: there are cases; take them out of WITHOUT_CASES"


def test_every_layer_type_has_a_case_that_changes_shapes():
    with_bottoms = {case.type for case in CASES if case.shapes}
    assert with_bottoms == {case.type for case in CASES if case.other_shapes}


@each_type((case.type, case) for case in CASES)
def test_contract(type, items):
    check_each(keeps_every_clause, items)


def keeps_every_clause(case):
    for clause in CLAUSES:
        clause(case)
