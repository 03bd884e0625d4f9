"""One tree of errors. Each is also the builtin exception TensorFlow's documentation promises, and carries its exit code.

GraphGradError
├── ArgumentError       (ValueError)    2   an option or argument that cannot be right
│   ├── DtypeError      (TypeError)     2   a tensor of the wrong dtype
│   └── UnknownNameError                2   a name that no node of the model has
├── NotAGraphTensorError(RuntimeError)  2   called on arrays instead of graph tensors
├── ModelError          (ValueError)    3   a file that cannot be read, or a malformed graph
│   └── MissingAttributeError(KeyError) 3   a node without an attribute that its op needs
├── MissingGradientError(LookupError)   4   operations on the path without a registered gradient
└── EvaluationError     (RuntimeError)  5   the interpreter cannot run, or failed while running
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class ExitCode:
    """What the process says to the shell; the contract fixes the numbers."""

    DONE = 0
    DIFFERENT = 1
    USAGE = 2
    MODEL = 3
    NO_GRADIENT = 4
    EVALUATION = 5
    DEFECT = 70
    INTERRUPTED = 130


class GraphGradError(Exception):
    """Base of every error a user can cause."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str = ""):
        super().__init__(message)
        self.details: dict[str, object] = {}
        self.next = ""  # what to type next, where the command line knows
        self.lacks_variables = False  # whether values of variables would help


class ArgumentError(GraphGradError, ValueError):
    """An argument or option that cannot be right."""


class DtypeError(GraphGradError, TypeError):
    """A tensor or value whose dtype does not fit."""


class UnknownNameError(ArgumentError):
    """A name that no node of the model has."""


class NotAGraphTensorError(GraphGradError, RuntimeError):
    """Arrays were given where tensors of a graph are meant."""


class ModelError(GraphGradError, ValueError):
    """A file that cannot be read or a graph that is malformed."""

    exit_code = ExitCode.MODEL


class MissingAttributeError(ModelError, KeyError):
    """A node lacks an attribute, and its op has no default for it."""

    def __str__(self) -> str:  # a KeyError shows the repr of its message
        return str(self.args[0])


class MissingGradientError(GraphGradError, LookupError):
    """One or more operations on the path have no registered gradient; `details["missing"]` lists them all."""

    exit_code = ExitCode.NO_GRADIENT

    def __init__(self, message: str, missing: list[dict[str, object]] | None = None):
        super().__init__(message)
        self.missing = missing or []
        self.details = {"missing": self.missing}


class EvaluationError(GraphGradError, RuntimeError):
    """The interpreter cannot run the graph, or a kernel failed."""

    exit_code = ExitCode.EVALUATION


def lacking_variables(error: GraphGradError) -> GraphGradError:
    """The error, marked as one that values of variables would help against."""
    error.lacks_variables = True
    return error


def note(error: BaseException, text: str) -> None:
    """What `error.add_note` does, which Python 3.10 does not have."""
    error.__dict__.setdefault("__notes__", []).append(text)


def did_you_mean(name: str, known: Iterable[str], limit: int = 3, prefix: str = "") -> str:
    """' (did you mean ...?)' with the closest of the known names, each behind the prefix, or nothing."""
    return meant([prefix + close for close in difflib.get_close_matches(name, list(known), n=limit, cutoff=0.5)])


def meant(names: Sequence[str]) -> str:
    """' (did you mean ...?)' with these names, or nothing."""
    return f" (did you mean {', '.join(map(repr, names))}?)" if names else ""
