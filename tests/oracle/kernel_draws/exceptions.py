"""What draws cannot compare, each with its reason."""

from __future__ import annotations

# op type -> (what is spared, why): 'shape' the static shape, 'values I' those of output I, 'bad' inputs of another shape,
# 'lenient' that graphgrad gives a value where TensorFlow refuses.
SPARED: dict[str, tuple[str, str]] = {
    "RaggedCross": ("bad", "columns of another size end the process of TensorFlow, or are read as far as needed"),
    "Svd": ("values 1 values 2", "not asked for, TensorFlow leaves them as they are in memory"),
    "SelfAdjointEigV2": ("values 1", "not asked for, TensorFlow leaves them as they are in memory"),
    "BatchSvd": ("values 1 values 2", "not asked for, TensorFlow leaves them as they are in memory"),
    "BatchSelfAdjointEigV2": ("values 1", "not asked for, TensorFlow leaves them as they are in memory"),
    "FusedBatchNormV2": (
        "values 3 values 4",
        "of half types, out of training, TensorFlow leaves them as they are in memory",
    ),
    "FusedBatchNormV3": (
        "values 3 values 4 values 5",
        "what the gradient is handed has other values and sizes on every way TensorFlow computes it",
    ),
    **dict.fromkeys(
        ["AvgPoolGrad", "AvgPool3DGrad"],
        ("bad", "TensorFlow takes a gradient that does not fit, and reads its first elements"),
    ),
    "SplitV": ("shape", "TensorFlow takes an unknown axis for the last: docs/fidelity.md"),
    **dict.fromkeys(
        ["QuantizeAndDequantizeV2", "QuantizeAndDequantizeV4"],
        ("lenient", "of a range for each slice its shape rule wants vectors, its kernel scalars: docs/fidelity.md"),
    ),
    **dict.fromkeys(
        ["FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3"],
        ("values 3 values 4", "another size, empty or a scalar, on every way TensorFlow computes it"),
    ),
    **dict.fromkeys(
        ["FractionalAvgPoolGrad", "FractionalMaxPoolGrad"],
        ("bad", "what does not fit is read as far as needed, or ends the process of TensorFlow"),
    ),
    **dict.fromkeys(
        ["LRN", "LRNGrad", "DepthwiseConv2dNative", "DepthwiseConv2dNativeBackpropFilter"],
        ("bad", "images of a wrong rank end the process of TensorFlow"),
    ),
    **dict.fromkeys(
        ["_FusedConv2D", "_FusedConv3D", "_FusedDepthwiseConv2dNative"],
        ("bad", "a bias of shape [1, n] is taken for a vector"),
    ),
    "FusedResizeAndPadConv2D": ("bad", "what TensorFlow refuses before it runs depends on what else is known"),
    "_FusedMatMul": ("bad", "with oneDNN a bias that is too long is taken for what it begins with"),
    **dict.fromkeys(["Conv2D", "Conv3D"], ("bad", "images of a wrong rank end the process of TensorFlow")),
    **dict.fromkeys(
        ["MatrixSolveLs", "BatchMatrixSolveLs"], ("bad", "matrices with equal columns are close to singular")
    ),
    "TensorListGather": ("shape", "which forgets the count of indices where they are not known to be a vector"),
    **dict.fromkeys(
        [f"{kind}ScatterNd{way}" for kind in ("", "Resource") for way in ("Add", "Max", "Min", "Sub", "Update")],
        ("bad", "TensorFlow takes updates of shape [1] for one index that is no row of a matrix"),
    ),
    **dict.fromkeys(
        [f"ResourceScatter{way}" for way in ("Add", "Div", "Max", "Min", "Mul", "Sub", "Update")],
        ("bad", "of rows of another length TensorFlow reads memory beyond the updates, or writes over the rows behind"),
    ),
    "BatchNormWithGlobalNormalizationGrad": ("bad", "of variances that are too many TensorFlow reads the first"),
    "Conv3DBackpropInputV2": ("bad", "of bfloat16 its library takes gradients that do not fit"),
    "LSTMBlockCell": ("bad", "of peepholes that are too long TensorFlow reads what they begin with"),
    **dict.fromkeys(
        ["BlockLSTMGrad", "BlockLSTMGradV2"], ("bad", "peepholes and biases are read by nothing but a check")
    ),
    **dict.fromkeys(
        ["SparseBincount", "RaggedBincount"], ("bad", "of too few weights TensorFlow reads memory beyond them")
    ),
    **dict.fromkeys(
        ["ApplyAdadelta", "ResourceApplyAdadelta"], ("bad", "TensorFlow looks at the shape of one accumulator only")
    ),
    "ResourceGather": ("bad", "of batches that do not fit TensorFlow reads memory beyond the variable"),
    "RaggedTensorToTensor": ("bad", "rows that do not fit read memory beyond the values in TensorFlow"),
}

# op type -> by how much more than tests/closeness.py allows its numbers may differ
LOOSENED: dict[str, float] = {
    **dict.fromkeys(
        [
            *["RandomUniform", "RandomStandardNormal", "TruncatedNormal", "RandomUniformInt", "RandomGamma"],
            *[
                "RandomPoisson",
                "RandomPoissonV2",
                "RandomShuffle",
                "Multinomial",
                "StatelessMultinomial",
                "StatelessRandomNormal",
            ],
            *["StatelessRandomUniform", "StatelessRandomUniformInt", "StatelessRandomUniformFullInt"],
            *["StatelessTruncatedNormal", "StatelessRandomNormalV2", "StatelessRandomUniformV2"],
            *["StatelessRandomUniformIntV2", "StatelessRandomUniformFullIntV2", "StatelessTruncatedNormalV2"],
            *["StatelessRandomGammaV2", "StatelessRandomGammaV3", "StatelessRandomPoisson", "StatelessShuffle"],
            *["RandomIndexShuffle", "SampleDistortedBoundingBox", "SampleDistortedBoundingBoxV2"],
            *["StatelessSampleDistortedBoundingBox", "StatelessRandomBinomial", "StatefulRandomBinomial"],
        ],
        0,  # random numbers are TensorFlow's to the last bit
    ),
    # whose weights TensorFlow works out in float32, gradients of float64 too
    "ResizeBicubicGrad": 1000,
    "ResizeBilinearGrad": 1000,
    "CropAndResizeGradImage": 1000,  # as above
    **dict.fromkeys(["CTCLoss", "CTCBeamSearchDecoder"], 1000),  # computed in float32 whatever it is given
}

# op types with a kernel that are not drawn -> why
NOT_DRAWN: dict[str, str] = {
    **dict.fromkeys(
        [
            *["ControlTrigger", "Enter", "Exit", "LoopCond", "Merge", "NextIteration", "Switch"],
            *["RefEnter", "RefExit", "RefMerge", "RefNextIteration", "RefSelect", "RefSwitch"],
        ],
        "branches and loops are programs: tests/controlflow",
    ),
    **dict.fromkeys(
        [
            *["AllToAll", "CollectivePermute", "CopyToMesh", "CopyToMeshGrad", "CrossReplicaSum", "NcclAllReduce"],
            *["NcclBroadcast", "NcclReduce", "Relayout", "RelayoutLike", "XlaClusterOutput", "XlaSharding"],
            *["XlaSpmdFullToShardShape", "XlaSpmdShardToFullShape"],
        ],
        "TensorFlow runs these on accelerators and meshes only",
    ),
    **dict.fromkeys(
        [
            *["DebugGradientIdentity", "DebugGradientRefIdentity", "DebugIdentity", "DebugIdentityV2"],
            *["DebugIdentityV3", "RefIdentity", "_EagerConst"],
        ],
        "it hands its input on, and TensorFlow runs it under a debugger, on references or eagerly only",
    ),
    "XlaEinsum": "TensorFlow's kernel for it needs a compiler for one device",
    "QuantizedConcatV2": "TensorFlow's own kernel gives zeros: it is there to be replaced",
    "NonDeterministicInts": "other numbers in every run: tests/kernels/test_generators.py",
    **dict.fromkeys(["Assert", "Print", "PrintV2"], "what it says goes to a stream: tests/cases/messages.py"),
    **dict.fromkeys(
        ["VarHandleOp", "Variable", "VariableV2"], "a variable has no value of its own: drawn with what uses it"
    ),
    **dict.fromkeys(
        [
            *["TemporaryVariable", "DestroyTemporaryVariable", "DestroyResourceOp", "_ReadVariablesOp"],
            *["StackClose", "StackCloseV2", "TensorArrayClose", "TensorArrayCloseV2", "TensorArrayCloseV3"],
        ],
        "it makes or ends what other ops use",
    ),
    **dict.fromkeys(
        ["TensorArrayGrad", "TensorArrayGradV2", "TensorArrayGradV3", "TensorArrayGradWithShape"],
        "used by gradients alone: tests/controlflow",
    ),
    **dict.fromkeys(
        ["LookupTableExport", "LookupTableExportV2", "LookupTableImport", "LookupTableImportV2"],
        "TensorFlow gives the entries in the order of its hashes",
    ),
    **dict.fromkeys(
        ["InitializeTableFromTextFile", "InitializeTableFromTextFileV2"],
        "it reads files of a SavedModel: tests/formats/test_other_files.py, and 'vocabulary' in tests/oracle",
    ),
    "TopK": "TensorFlow's kernel asks for an attribute that the op does not have",
    "MutableDenseHashTable": "TensorFlow's own kernel asks for an input that the op does not have",
    **dict.fromkeys(
        [
            *["CSRSparseMatrixComponents", "CSRSparseMatrixToDense", "CSRSparseMatrixToSparseTensor"],
            *["DenseToCSRSparseMatrix", "SparseMatrixAdd", "SparseMatrixMatMul", "SparseMatrixMul", "SparseMatrixNNZ"],
            *["SparseMatrixSoftmax", "SparseMatrixSoftmaxGrad", "SparseMatrixSparseMatMul", "SparseMatrixTranspose"],
            *["SparseMatrixZeros", "SparseTensorToCSRSparseMatrix", "CompositeTensorVariantFromComponents"],
            *["CompositeTensorVariantToComponents", "RaggedTensorFromVariant", "RaggedTensorToVariant"],
            *["RaggedTensorToVariantGradient", "TensorListPushBackBatch"],
        ],
        "its values are variants, which cannot be fed: rows in tests/cases",
    ),
    **dict.fromkeys(
        ["Eig", "Qr"],
        "unique up to signs and order only: tests/oracle/test_live.py",
    ),
}

# op types that are drawn with NaN and infinity in float64 alone -> why
IN_FLOAT64: dict[str, str] = {
    **dict.fromkeys(
        [
            *["Conv2D", "Conv2DBackpropFilter", "Conv2DBackpropInput"],
            *["Conv3D", "Conv3DBackpropFilterV2", "Conv3DBackpropInputV2"],
            *["DepthwiseConv2dNative", "DepthwiseConv2dNativeBackpropFilter", "DepthwiseConv2dNativeBackpropInput"],
            *["MaxPool", "MaxPool3D", "Softmax"],
        ],
        "float32 and bfloat16 are oneDNN's, where NaN and infinity go by the processor",
    ),
    **dict.fromkeys(
        [
            *[
                f"{kind}Apply{rule}"
                for kind in ("", "Resource", "Sparse", "ResourceSparse")
                for rule in ("Adadelta", "Adagrad", "AdagradV2", "CenteredRMSProp", "Momentum", "RMSProp")
            ],
            *["ApplyAdam", "ResourceApplyAdam", "ResourceApplyAdamWithAmsgrad"],
            *["ResourceApplyKerasMomentum", "ResourceSparseApplyKerasMomentum"],
        ],
        "steps of complex numbers are not TensorFlow's: docs/fidelity.md",
    ),
}

# op types that are not drawn with NaN and infinity -> why
FINITE_ALONE: dict[str, str] = {
    **dict.fromkeys(
        [
            *["RandomPoisson", "RandomPoissonV2", "StatefulRandomBinomial"],
            *["StatelessRandomBinomial", "StatelessRandomPoisson"],
        ],
        "TensorFlow draws for ever",
    ),
    **dict.fromkeys(
        [
            *["_FusedConv2D", "_FusedConv3D", "_FusedDepthwiseConv2dNative", "_FusedMatMul"],
            *["FusedResizeAndPadConv2D", "FusedPadConv2D"],
        ],
        "oneDNN's: NaN goes by the processor",
    ),
    **dict.fromkeys(
        ["CropAndResizeGradBoxes", "CropAndResizeGradImage"],
        "of boxes that are not finite TensorFlow reads memory beyond the image",
    ),
    "QuantizeV2": "of qint8 in mode SCALED it is oneDNN's, whose finite numbers are others too",
    "RaggedCross": "it ends the process of TensorFlow often",
    **dict.fromkeys(
        [
            *["AudioSpectrogram", "BandedTriangularSolve", "BatchMatrixSolveLs", "MatrixExponential"],
            *["MatrixLogarithm", "MatrixSolveLs", "MatrixSquareRoot"],
            *["TridiagonalSolve"],
        ],
        "not TensorFlow's: docs/fidelity.md",
    ),
}
