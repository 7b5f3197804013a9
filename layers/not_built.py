"""Types of widespread nets that are not built: whose they are, what they do, and the way out, for the error."""

from __future__ import annotations

INPUT_INSTEAD = "put an Input layer in its place and write its blobs before each forward"
READ_INSTEAD = "remove it, and read its bottom's data after forward"
NOT_BUILT = {
    "LaneData": (
        f"lists of images with lanes are not read; {INPUT_INSTEAD}: the images, objects as N x 1 x 300 x 5 rows of "
        "class, x, y, width, height, and the lanes' masks"
    ),
    "DriveData": (
        f"databases of road scenes (Tsinghua-Tencent 100K, VPGNet) are not read; {INPUT_INSTEAD}, one "
        "for each top: the images, and the labels as the net slices them"
    ),
    "FrcnnTrainData": (
        "GBD-Net's files of RoIs are not read (its Caffe samples them by the time of day); put an Input layer for each "
        "top in its place and write its blobs before each forward: the images, labels R, RoIs R x 5 (image, x1, y1, "
        "x2, y2), box targets and their weights R x 4 classes"
    ),
    "DisparityData": f"FlowNet2's lists of stereo pairs are not read; {INPUT_INSTEAD}, one for each top",
    "ImgReader": f"FlowNet2's, it reads one image; {INPUT_INSTEAD}: N x 3 x H x W, blue first, from 0 to 255",
    "FloatReader": f"FlowNet2's, it reads blobs from .float3 files; {INPUT_INSTEAD}",
    "ImgWriter": f"FlowNet2's, it writes images; {READ_INSTEAD}",
    "FloatWriter": f"FlowNet2's, it writes .float3 files; {READ_INSTEAD}",
    "ImageMultilabelData": (
        f"Arroosh's lists of images and files of labels are not read; {INPUT_INSTEAD}: the images, labels N x places"
    ),
    "DocData": f"ctensmeyer's databases of documents are not read; {INPUT_INSTEAD}",
    "MCWindowData": f"deepsaldet's windows with masks are not read; {INPUT_INSTEAD}: images, masks (0 to 1), classes",
    "SigmoidCrossEntropyLossWeighted": (
        "no source of LocNet's is public; MNC's SigmoidCrossEntropyLoss of three bottoms weighs numbers by the third"
    ),
    "Convdeconv3d": (
        "CDC's, it convolves in space and deconvolves in time at once; no source of it is public; Convolution3D and "
        "Deconvolution3D do one of these each, with other weights"
    ),
    "LabelDropout": (
        "xiaolonw's, it drops examples of a label at random and the hardest; give the loss a label that it ignores"
    ),
    "P2SLoss": (
        "of Point to Set metric learning (sanpingzhou), it draws triplets by the C library's rand(); choose them in a "
        "Python layer, or by TripletLoss"
    ),
    "TRT": (
        "NVIDIA's Caffe runs a TensorRT engine there; build the net that its trt_param names as `deploy`, with the "
        "weights that it names as `model`"
    ),
    "MaskedSmoothL1Loss": (
        "no source of UberNet's is public; SmoothL1Loss takes weights as its third bottom, which may be such a mask"
    ),
    **dict.fromkeys(
        (
            "Wtf",
            "Wtfsecond",
            "Wtfthird",
            "Wtffourth",
            "Wtffifth",
            "Wtfsixth",
            "Wtfseventh",
            "Wtfeighth",
            "Wtfninth",
        ),
        "DRT's, a step of its tracker's solver, whose data its MATLAB code puts into the library; no net can say them",
    ),
    **dict.fromkeys(
        (
            "OctreeConv",
            "OctreeDeconv",
            "OctreePooling",
            "OctreeUnpooling",
            "Octree2FullVoxel",
            "OctreeGrow",
            "OctreeMask",
            "OctreeSetFeature",
            "OctreeUpdateLabel",
            "OctreeZeroize",
        ),
        "O-CNN's, it works on the leaves of octrees, which are not read; a net of volumes, with Convolution of three "
        "axes and PoolingND, sees the same shapes as voxels",
    ),
    "DSALoss": (
        "SeqFace's, it draws which centres examples are held against by C's rand(), and its nets need a type whose "
        "source is not public; CenterLoss pulls features to their class's centre"
    ),
    "NormConvMeanfield": (
        "segaware's, a mean field whose filters are convolutions of embeddings; MultiStageMeanfield filters by colour "
        "and place, and Im2dist has the embeddings' distances"
    ),
    **dict.fromkeys(
        ("CAROIPooling2", "ROICount"),
        "an earlier step of SINet, of which no net is public; write ROISplit, CAROIPooling and ROIFeatureSplit",
    ),
    "SoftmaxWithCascadeLoss": (
        "no source of CC-Net's (ccnn) is public; SoftmaxWithLoss with ignore_label leaves out examples that an "
        "earlier stage has rejected"
    ),
    **dict.fromkeys(
        ("FrcnnRoiData", "FrcnnAnchorTarget", "FrcnnProposal", "FrcnnProposalTarget"),
        "of Caffes that have Faster R-CNN in C++, it takes its numbers from a file of settings beside the net; "
        "py-faster-rcnn's Python layers (roi_data_layer.layer, rpn.anchor_target_layer, rpn.proposal_layer, "
        "rpn.proposal_target_layer) are built in and do the same by the original's settings",
    ),
    **dict.fromkeys(
        ("DNSConvolution", "INQConvolution"),
        "it prunes or quantizes its weights while it trains; write Convolution, with convolution_param, to run the net "
        "with the weights that it has",
    ),
    **dict.fromkeys(
        ("DNSInnerProduct", "INQInnerProduct"),
        "it prunes or quantizes its weights while it trains; write InnerProduct, with inner_product_param, to run the "
        "net with the weights that it has",
    ),
    **dict.fromkeys(
        ("MalisLoss", "Affinity", "ConnectedComponent"),
        "naibaf7's, it learns how voxels of electron microscopy hang together, by the library of MALIS; train by "
        "another loss, or leave it out to run the net",
    ),
    **dict.fromkeys(
        (
            "SpxPooling",
            "AttSpxPooling",
            "SlidingWindowIndexSeg",
            "ScaleFlags",
            "SplitMasks8",
        ),
        "of superpixelRefinement, which pools windows of AttentionMask over superpixels; a Python layer can compute "
        "it, or the part of the net before it runs as a net of its own",
    ),
    **dict.fromkeys(
        ("GenSlicinfo", "LowlevelDistance"),
        "ELDNet's, it compares superpixels that a library of another project finds on a GPU (gSLICr); "
        f"{INPUT_INSTEAD}: what the Python layer of its tests would have",
    ),
    **dict.fromkeys(
        ("BBTXTLoss", "BB3TXTLoss"),
        "of libornovax's thesis, it draws the boxes of a list into accumulators and mines what is wrong; train by a "
        "Python layer, or leave it out to run the net",
    ),
    **dict.fromkeys(
        ("BdctToSpatial", "QuantTruncAbs", "BNConv"),
        "RXGNet's, for JPEG's coefficients, on the GPU only; BNConv is BatchNorm and Scale in one, the others a Python "
        "layer can compute",
    ),
    **dict.fromkeys(
        (
            "DecoderInput",
            "DecoderOutput",
            "DecoderExtract",
            "DecoderConv3",
            "DecoderQuant",
            "DynamicMaskData",
        ),
        "CCN's, a step of its coder, which keeps a state from code to code and runs on the GPU only",
    ),
    "MAE": "no source of OrdinalRegression's is public; remove it, and compare its bottoms after forward",
    "Segmentation": "no source of SemanticLabelingDemo's is public; put an Input layer of its labels in its place",
    "QuartetLoss": (
        "no source of Joint-Verification-Identification's is public; TripletLoss and ContrastiveLoss hold pairs apart"
    ),
    "DeepHandModel": (
        "DeepModel's, it makes joints of the angles of a hand whose bones stand in files; read its bottom's data, and "
        "compute them after forward"
    ),
    "SSLConvolution": "no source of LSTD's is public; if its numbers are Convolution's, write that",
    "SmoothMarginInnerProduct": (
        "no source of SeqFace's is public; MarginInnerProduct and LargeMarginInnerProduct have such margins"
    ),
    "Sum": (
        "of one bottom, it adds up what each image has (crowd counting) or some axes (Synopsys); Reduction with "
        "reduction_param { axis: 1 } does the first"
    ),
    **dict.fromkeys(
        (
            "CapsuleConvRouting",
            "CapsuleConvTransform",
            "CapsuleDeconvRouting",
            "CapsuleDeconvTransform",
            "CapsuleLen",
            "CapsuleMask",
            "CapsuleRelu",
            "CapsuleReshape",
            "CapsuleRouting",
            "CapsuleTransform",
            "DynamicRouting",
            "Squash",
        ),
        "CAFFE-CapsNet's (chenzhenhua986), a step of capsules and of the routing between them; a Python layer can "
        "compute it, or a plain net of Convolution and InnerProduct learn the same labels",
    ),
    "HyperColumns": (
        "JiangQH's, it samples pixels of several maps by the time of day; SparseHypercolumnExtractor does so at places "
        "that a DummyData draws"
    ),
    "HypercolumnExtractor": (
        "an earlier one of gustavla's, whose places it draws; SparseHypercolumnExtractor takes them from a bottom"
    ),
    "DataRandTransform": (
        "of a Caffe of 2014 (Julien Martel), it moves, turns and scales images at random, and shows them; do so before "
        "they go into the database"
    ),
    "FlowWarping": (
        "AmirooR's, without a backward pass, it warps maps by a flow of down and right, and takes 0 outside; FlowWarp "
        "does so by a flow of right and down: Slice and Concat its two channels the other way round"
    ),
    "Prodpara": (
        "MLKP's, it multiplies channels, or places, by learned numbers; Scale with scale_param { axis: 1 } has those "
        "of channels"
    ),
    "MLQuant": "no source of it is public; quantize its bottom in a Python layer, or leave it out to run the net",
    **dict.fromkeys(
        (
            "RandomImageData",
            "RandomImageData2",
            "MultiSourcesImagesData",
            "LoadDataFromFile",
            "LoadImageData",
        ),
        "pose_action_caffe's (zimenglan) lists of images and joints are not read; put an Input layer for each top in "
        "its place and write its blobs before each forward",
    ),
    **dict.fromkeys(
        (
            "CoordsFromHeatMaps",
            "CoordsToBboxes",
            "CoordsToBboxesMasks",
            "ExtractPrimary",
            "FusionRegions",
            "HeatMapsFromCoords",
            "NormalizedPoseCoords",
            "RescaledPoseCoords",
            "RevertNormalizedPoseCoords",
            "TorsoMaskFromCoords",
            "VisualizedHeatMaps",
            "VisualizedPoseCoords",
        ),
        "pose_action_caffe's (zimenglan), it turns joints, boxes and maps into each other, or draws them; a Python "
        "layer can compute it, or the part of the net before it runs as a net of its own",
    ),
    "ExtendedImageData": (
        "autocolorize's lists of images; ImageData has its shortest_side as image_data_param { new_dim: ... }, other "
        "kinds of files are not read"
    ),
    "GANLoss": (
        "no source of caffe_colorizer's is public; a SigmoidCrossEntropyLoss of the scores below the Sigmoid layer "
        "and the label is the loss of a GAN"
    ),
}
