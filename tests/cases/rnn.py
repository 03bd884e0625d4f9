"""Recurrent layers and cells."""

from tests.cases import case, const, f16, f32, i32

TIME, BATCH, INPUTS, CELLS = 3, 2, 3, 2
# In the order of the op: the states, the weights, the peepholes, the biases.
STATES = [(BATCH, CELLS)] * 2
WEIGHTS = [(INPUTS + CELLS, 4 * CELLS), *[(CELLS,)] * 3, (4 * CELLS,)]
OUTPUTS = [(TIME, BATCH, CELLS)] * 7
# The ops take nothing wider than float32, and their gradients have none.
SINGLE = {"smooth": False, "order": 1, "tolerance": 4.0}


def layer(make, low=-1.0):
    return [make(TIME, BATCH, INPUTS), *[make(*shape, low=low) for shape in STATES + WEIGHTS]]


def cell(make):
    return [make(BATCH, INPUTS), *[make(*shape) for shape in STATES + WEIGHTS]]


def long_rows(op, label, **attrs):
    """All steps, and one less, behind which TensorFlow leaves most outputs to chance."""
    return [
        case(op, const(TIME, "int64"), *layer(f32), label=label, **attrs, **SINGLE),
        case(
            op,
            const(TIME - 1, "int64"),
            *layer(f32),
            label=f"{label},short",
            undefined=("y0", "y2", "y3", "y4", "y5"),
            **attrs,
            **SINGLE,
        ),
    ]


# What the gradients of the cells are given: the outputs of the gates lie between 0 and 1.
STEP = [f32(BATCH, CELLS, low=0.1, high=0.9)] * 6

CASES = [
    *[
        row
        for peephole in (False, True)
        for row in [
            *long_rows("BlockLSTM", f"peephole:{peephole}", use_peephole=peephole, cell_clip=0.0, forget_bias=0.5),
            *long_rows("BlockLSTMV2", f"peephole:{peephole}", use_peephole=peephole),
        ]
    ],
    case("BlockLSTM", const(TIME, "int64"), *layer(f32), label="clipped", cell_clip=0.3, **SINGLE),
    case("BlockLSTM", const(TIME, "int64"), *layer(f16), label="half", use_peephole=True, **SINGLE),
    *[
        case(
            f"BlockLSTMGrad{version}",
            const(TIME, "int64"),
            *layer(f32),
            *[f32(*shape, low=0.1, high=0.9) for shape in OUTPUTS],
            f32(TIME, BATCH, CELLS),
            f32(TIME, BATCH, CELLS),
            label=f"peephole:{peephole}",
            use_peephole=peephole,
            **SINGLE,
        )
        for version in ("", "V2")
        for peephole in (False, True)
    ],
    *[case("LSTMBlockCell", *cell(f32), label=f"{p}", use_peephole=p, cell_clip=0.4, **SINGLE) for p in (False, True)],
    *[
        case("LSTMBlockCellGrad", *cell(f32), *STEP, *[f32(BATCH, CELLS)] * 2, label=f"{p}", use_peephole=p, **SINGLE)
        for p in (False, True)
    ],
    case(
        "GRUBlockCell",
        *[f32(BATCH, INPUTS), f32(BATCH, CELLS), f32(INPUTS + CELLS, 2 * CELLS), f32(INPUTS + CELLS, CELLS)],
        *[f32(2 * CELLS), f32(CELLS)],
        **SINGLE,
    ),
    case(
        "GRUBlockCellGrad",
        *[f32(BATCH, INPUTS), f32(BATCH, CELLS), f32(INPUTS + CELLS, 2 * CELLS), f32(INPUTS + CELLS, CELLS)],
        *[f32(2 * CELLS), f32(CELLS)],
        *STEP[:3],
        f32(BATCH, CELLS),
        label="all",
        **SINGLE,
    ),
    *[
        case(
            f"CudnnRNN{version}",
            f32(TIME, BATCH, INPUTS),
            *[f32(directions, BATCH, 4)] * 2,
            f32(200),
            *[i32(BATCH)] * (version == "V3"),
            label=f"{mode},{direction}",
            rnn_mode=mode,
            direction=direction,
            dropout=0.25,
            seed=3,
            **SINGLE,
        )
        for version in ("", "V2", "V3")
        for mode, direction, directions in (("lstm", "unidirectional", 1), ("gru", "bidirectional", 2))
    ],
    case(
        "CudnnRNNV3",
        f32(BATCH, TIME, INPUTS),
        *[f32(1, BATCH, 4)] * 2,
        f32(200),
        i32(BATCH),
        label="batch-major",
        time_major=False,
        num_proj=2,
        **SINGLE,
    ),
    case(
        "CudnnRNNV2",
        f32(TIME, BATCH, 3),
        *[f32(1, BATCH, 4)] * 2,
        f32(200),
        label="inference",
        is_training=False,
        **SINGLE,
    ),
]
