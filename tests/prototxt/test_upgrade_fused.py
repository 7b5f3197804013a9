"""SkimCaffe's layers that compute several at once become several."""

from caffe_compat.prototxt.reader import parse_net

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }
layer { name: "c" type: "ConvolutionReLUPoolLRN" bottom: "data" top: "c" param { lr_mult: 3 }
        convolution_param { num_output: 4 kernel_size: 3 } lrn_param { local_size: 3 }
        pooling_param { kernel_size: 2 stride: 2 } include { phase: TEST } }
layer { name: "p" type: "ReLUPooling" bottom: "c" top: "p" pooling_param { kernel_size: 3 } }
layer { name: "f" type: "InnerProductReLUDropout" bottom: "p" top: "f"
        inner_product_param { num_output: 5 }
        dropout_param { dropout_ratio: 0.25 } }
"""


def test_each_part_is_a_layer():
    net, _ = parse_net(NET)
    assert [(x.name, x.type, *x.bottom, *x.top) for x in net.layer[1:]] == [
        ("c", "Convolution", "data", "c_convolution"),
        ("c_relu", "ReLU", "c_convolution", "c_convolution"),
        ("c_pooling", "Pooling", "c_convolution", "c_pooling"),
        ("c_lrn", "LRN", "c_pooling", "c"),
        ("p_relu", "ReLU", "c", "p_relu"),
        ("p", "Pooling", "p_relu", "p"),
        ("f", "InnerProduct", "p", "f"),
        ("f_relu", "ReLU", "f", "f"),
        ("f_dropout", "Dropout", "f", "f"),
    ]
    convolution, *others = net.layer[1:5]
    assert [x.lr_mult for x in convolution.param] == [3]
    assert convolution.convolution_param.num_output == 4 and not convolution.HasField("lrn_param")
    assert [len(x.include) for x in (convolution, *others)] == [1, 1, 1, 1]
    assert (others[1].pooling_param.stride, others[2].lrn_param.local_size) == (2, 3)
    assert net.layer[-1].dropout_param.dropout_ratio == 0.25


def test_parts_stand_where_their_layer_does():
    net, source = parse_net(NET)
    lines = [(source.where("layer", i) or ())[0] for i in range(len(net.layer))]
    assert lines == [2, 3, 3, 3, 3, 6, 6, 7, 7, 7]


def test_what_mkl_computes_has_caffes_name():
    net, _ = parse_net('layer { name: "l" type: "MKLLRN" bottom: "x" top: "y" }')
    assert net.layer[0].type == "LRN"
