#!/bin/sh
# Makes graphgrad/schema/*_pb2.py, their .pyi stubs and SOURCES.sha256 from proto/graphgrad/schema/*.proto.
#
#   proto/generate.sh [OUTPUT]     OUTPUT: the directory that is to hold graphgrad/ (default: the repository root)
#
# The compiler is pinned: what 1.62 generates checks no runtime version, so one set of modules serves protobuf 4.25 and
# every later one. It has wheels for Python 3.7 to 3.12; set PYTHON to choose another interpreter than python3.
set -eu
export LC_ALL=C

root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
mkdir -p "${1:-$root}"
output=$(CDPATH= cd -- "${1:-$root}" && pwd)

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
trap 'exit 1' HUP INT TERM
"${PYTHON:-python3}" -m venv "$tools/venv"
"$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    "grpcio-tools==1.62.3" "protobuf==4.25.8" "setuptools==80.9.0"

cd "$root"
mkdir -p "$output/graphgrad/schema"
"$tools/venv/bin/python" -W ignore -m grpc_tools.protoc -I proto \
    --python_out="$output" --pyi_out="$output" proto/graphgrad/schema/*.proto

# One line a file, as sha256sum prints and checks them: first the sources, then what came of them.
"$tools/venv/bin/python" - "$root" "$output" <<'PYTHON'
import hashlib
import pathlib
import sys

root, output = map(pathlib.Path, sys.argv[1:])
files = [(root, path) for path in sorted(root.glob("proto/graphgrad/schema/*.proto"))]
files += [(output, path) for path in sorted(output.glob("graphgrad/schema/*_pb2.py*"))]
with open(output / "graphgrad/schema/SOURCES.sha256", "w") as record:
    for top, path in files:
        record.write(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(top).as_posix()}\n")
PYTHON
