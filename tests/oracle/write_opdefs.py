"""Writes graphgrad/data/opdefs.pb: the signature of every op TensorFlow itself registers, without its prose.
The file depends on TensorFlow's version alone: one OpList, ordered by name, serialized deterministically.

    python tests/oracle/write_opdefs.py [--output FILE]
"""

from __future__ import annotations

import argparse
import pathlib

import tensorflow as tf
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session

OUTPUT = pathlib.Path(__file__).resolve().parents[2] / "graphgrad" / "data" / "opdefs.pb"


def registered() -> op_def_pb2.OpList:
    """All ops of this process; a pluggable device may add its own, so run it where none is installed."""
    return op_def_pb2.OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))


def strip(op: op_def_pb2.OpDef) -> None:
    """Leave the signature and the facts about it; take the prose and the experimental full types."""
    op.ClearField("summary")
    op.ClearField("description")
    if op.HasField("deprecation"):
        op.deprecation.ClearField("explanation")
    for argument in (*op.input_arg, *op.output_arg):
        argument.ClearField("description")
        argument.ClearField("experimental_full_type")
    for attribute in op.attr:
        attribute.ClearField("description")


def stripped(ops: op_def_pb2.OpList) -> op_def_pb2.OpList:
    """The same ops in the order of their names, each stripped."""
    result = op_def_pb2.OpList(op=sorted(ops.op, key=lambda op: op.name))
    for op in result.op:
        strip(op)
    return result


def main() -> None:
    """Write the file and say what it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT, help="where to write it")
    output = parser.parse_args().output
    ops = stripped(registered())
    data = ops.SerializeToString(deterministic=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(data)
    print(f"{output}: {len(ops.op)} ops of TensorFlow {tf.__version__}, {len(data)} bytes")


if __name__ == "__main__":
    main()
