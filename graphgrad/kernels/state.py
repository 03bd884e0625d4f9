"""Kernels of variables: making, reading, assigning, gathering and scattering, and the optimizers' steps.

A resource or reference input is the Variable itself; kernels with a reference output return the Variable.
"""

from __future__ import annotations

import functools
import inspect
import math

import numpy as np

from graphgrad.kernels._checks import lone
from graphgrad.kernels._optimizers import OF_ROWS, OPTIMIZERS
from graphgrad.kernels._rows import combine_rows, flat_rows, refuse_outside
from graphgrad.kernels._state import Variable
from graphgrad.kernels._strides import StridedSpec, StrideMasks, strided_index
from graphgrad.registry import kernel, kernels


def qualified(container: str, name: str) -> str:
    return f"{container}/{name}" if container else name


@kernel("VarHandleOp", "VariableV2", "Variable")
def variable(*, shared_name, container, dtype, shape, state, node_name):
    return state.variable(qualified(container, shared_name or node_name), dtype, shape, node_name)


@kernel("TemporaryVariable")
def temporary_variable(*, shape, dtype, var_name, state, node_name):
    return state.temporary(var_name or node_name, dtype, shape)


@kernel("DestroyTemporaryVariable")
def destroy_temporary_variable(variable, *, var_name, state):
    value = variable.read()
    state.drop_temporary(var_name)
    return value


@kernel("DestroyResourceOp")
def destroy_resource(resource, *, ignore_lookup_error):
    if not ignore_lookup_error and getattr(resource, "value", resource) is None:
        raise ValueError(f"variable '{resource.name}' does not exist")
    resource.destroy()


@kernel("VarIsInitializedOp", "IsVariableInitialized")
def is_initialized(variable):
    return np.bool_(variable.value is not None)


@kernel("ReadVariableOp")
def read_variable(variable, *, dtype):
    if variable.dtype is not None and variable.dtype != dtype:
        raise ValueError(f"variable '{variable.name}' is {variable.dtype.name}, it cannot be read as {dtype.name}")
    return variable.read()


@kernel("_ReadVariablesOp")
def read_variables(variables):
    return [variable.read() for variable in variables]


@kernel("VariableShape")
def variable_shape(variable, *, out_type):
    return np.array(variable.peek().shape, out_type)


# --- assignments -----------------------------------------------------------------------------------------


@kernel("Assign")
def assign(variable, value, *, validate_shape):
    if validate_shape:
        shape = variable.shape if variable.value is None else variable.value.shape
        if shape is not None and shape != value.shape:
            raise ValueError(
                f"variable '{variable.name}' has shape {list(shape)}, the value to assign {list(value.shape)}"
            )
    variable.assign(value)
    return variable


@kernel("AssignVariableOp")
def assign_variable(variable, value):
    variable.assign(value)


def assign_updated(variable, update, value):
    old = variable.peek()
    if old.shape != value.shape:
        raise ValueError(f"variable '{variable.name}' has shape {list(old.shape)}, the update {list(value.shape)}")
    variable.assign(np.asarray(update(old, value)), fresh=True)
    return variable


@kernel("AssignAdd")
def assign_add(variable, value):
    return assign_updated(variable, np.add, value)


@kernel("AssignSub")
def assign_sub(variable, value):
    return assign_updated(variable, np.subtract, value)


@kernel("AssignAddVariableOp")
def assign_add_variable(variable, value):
    assign_updated(variable, np.add, value)


@kernel("AssignSubVariableOp")
def assign_sub_variable(variable, value):
    assign_updated(variable, np.subtract, value)


@kernel("CountUpTo", "ResourceCountUpTo")
def count_up_to(variable, *, limit):
    count = variable.peek()
    lone(count, f"variable '{variable.name}'")
    if count >= limit:
        raise ValueError(f"variable '{variable.name}' has reached its limit of {limit}")
    variable.assign(count + count.dtype.type(1))
    return count


def without_output(step):
    """The same step on resources, which hands nothing on."""

    @functools.wraps(step)
    def resource_step(*inputs, **attributes):
        step(*inputs, **attributes)

    return resource_step


def assign_part(
    variable,
    begin,
    end,
    strides,
    value,
    *,
    begin_mask,
    end_mask,
    ellipsis_mask,
    new_axis_mask,
    shrink_axis_mask,
):
    """Writes a value of its shape into a strided slice."""
    masks = StrideMasks(begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)
    array = variable.writable()
    index = strided_index(array.shape, StridedSpec(begin.tolist(), end.tolist(), strides.tolist(), masks))
    part = array[index]
    if part.size and value.shape != part.shape:
        raise ValueError(f"a value of shape {list(value.shape)} does not fill a slice of {list(part.shape)}")
    if part.size:
        array[index] = value
    return variable


kernels({"StridedSliceAssign": assign_part, "ResourceStridedSliceAssign": without_output(assign_part)})


# --- gathers ---------------------------------------------------------------------------------------------


@kernel("ResourceGather")
def resource_gather(variable, indices, *, batch_dims):
    values = variable.peek()
    if batch_dims < 0:
        batch_dims += indices.ndim
    if values.ndim <= batch_dims or values.shape[:batch_dims] != indices.shape[:batch_dims]:
        raise ValueError(
            f"shapes {list(values.shape)} and {list(indices.shape)} differ in {batch_dims} batch dimensions"
        )
    refuse_outside(indices, values.shape[batch_dims])
    if not batch_dims:
        return values.take(indices, axis=0)
    batches = np.ogrid[tuple(slice(n) for n in indices.shape)][:batch_dims]
    return values[(*batches, indices)]


@kernel("ResourceGatherNd")
def resource_gather_nd(variable, indices):
    values = variable.peek()
    rows, _ = flat_rows(indices, index_dims(indices, values), "ERROR")
    inner = values.shape[indices.shape[-1] :]
    return values.reshape(-1, *inner)[rows]


def index_dims(indices, values):
    """The leading dimensions of `values` that the rows of `indices` speak of."""
    depth = indices.shape[-1]
    if depth > values.ndim:
        raise ValueError(f"indices of {depth} numbers do not fit a variable of rank {values.ndim}")
    return values.shape[:depth]


# --- scatters --------------------------------------------------------------------------------------------


# Each combines rows of a matrix with other rows, one for each id, one after the other.


def update_rows(out, ids, rows):
    out[ids] = rows


def add_rows(out, ids, rows):
    combine_rows(np.add, out, ids, rows)


def subtract_rows(out, ids, rows):
    combine_rows(np.logical_xor if out.dtype.kind == "b" else np.subtract, out, ids, rows)


def multiply_rows(out, ids, rows):
    combine_rows(np.multiply, out, ids, rows)


def minimum_rows(out, ids, rows):
    combine_rows(np.minimum, out, ids, without_nan(rows, np.inf))


def maximum_rows(out, ids, rows):
    combine_rows(np.maximum, out, ids, without_nan(rows, -np.inf))


def without_nan(rows, neutral):
    """An update that is not a number loses every comparison; a variable that is none stays so."""
    if rows.dtype.kind in "iu":
        return rows
    return np.where(np.isnan(rows), rows.dtype.type(neutral), rows)


def divide_rows(out, ids, rows):
    if out.dtype.kind not in "iu":
        combine_rows(np.true_divide, out, ids, rows)
        return
    if not rows.all():
        raise ValueError("integer division by zero")
    for row, divisors in zip(ids, rows, strict=True):  # one by one: rounded quotients do not commute
        quotient = np.abs(out[row]) // np.abs(divisors)
        out[row] = quotient * np.sign(out[row]) * np.sign(divisors)


SCATTERS = {
    "Update": update_rows,
    "Add": add_rows,
    "Sub": subtract_rows,
    "Mul": multiply_rows,
    "Div": divide_rows,
    "Min": minimum_rows,
    "Max": maximum_rows,
}


def scatter(variable, combine, indices, updates):
    """Combines rows of the variable with updates, one for each index or one scalar for all."""
    shape = variable.peek().shape
    refuse_misfit(shape, indices, updates, indices.shape + shape[1:] if updates.ndim else ())
    refuse_outside(indices, shape[0])
    width = math.prod(shape[1:])
    rows = updates.reshape(indices.size, width) if updates.ndim else np.broadcast_to(updates, (indices.size, width))
    combine(variable.writable().reshape(shape[0], width), indices.reshape(-1), rows)
    return variable


def scatter_nd(variable, combine, indices, updates, policy):
    """Combines slices of the variable with updates; the policy IGNORE drops those out of bounds."""
    array = variable.writable()
    dims = index_dims(indices, array)
    inner = array.shape[len(dims) :]
    refuse_misfit(array.shape, indices, updates, indices.shape[:-1] + inner)
    rows, valid = flat_rows(indices, dims, policy)
    rows, updates = rows.reshape(-1), updates.reshape(rows.size, math.prod(inner))
    if valid is not None:
        rows, updates = rows[valid.reshape(-1)], updates[valid.reshape(-1)]
    combine(array.reshape(math.prod(dims), math.prod(inner)), rows, updates)
    return variable


def refuse_misfit(shape, indices, updates, expected):
    if updates.shape != expected:
        raise ValueError(
            f"updates of shape {list(updates.shape)} do not fit indices {list(indices.shape)} into shape {list(shape)}"
        )


def scatter_kernels(combine):
    """The four kernels of one way to combine: rows or slices, of a reference or a resource."""

    def rows(variable, indices, updates):
        return scatter(variable, combine, indices, updates)

    def resource_rows(variable, indices, updates):
        scatter(variable, combine, indices, updates)

    def slices(variable, indices, updates, *, bad_indices_policy):
        return scatter_nd(variable, combine, indices, updates, bad_indices_policy)

    def resource_slices(variable, indices, updates, *, bad_indices_policy):
        scatter_nd(variable, combine, indices, updates, bad_indices_policy)

    return rows, resource_rows, slices, resource_slices


for _name, _combine in SCATTERS.items():
    _rows, _resource_rows, _slices, _resource_slices = scatter_kernels(_combine)
    kernels({f"Scatter{_name}": _rows, f"ResourceScatter{_name}": _resource_rows})
    if _name not in ("Mul", "Div"):
        kernels({f"ScatterNd{_name}": _slices, f"ResourceScatterNd{_name}": _resource_slices})


# --- optimizers ------------------------------------------------------------------------------------------
ONLY_RESOURCE = {"AdamWithAmsgrad", "KerasMomentum"}
# Those of chosen rows whose gradient must have the rank of the variable, and those that refuse rows of nothing.
AS_DEEP = {"Adagrad", "AdagradV2"}
NOT_EMPTY = {"Adagrad", "AdagradDA", "AdagradV2", "Ftrl", "FtrlV2", "ProximalAdagrad", "ProximalGradientDescent"}
ONLY_DENSE = {"AdaMax", "Adam", "AdamWithAmsgrad", "AddSign", "GradientDescent", "PowerSign"}


def numbers_of(formula):
    """Names and places of the inputs behind the slots that must be scalars: all but the gradient."""
    names = [n for n, p in inspect.signature(formula).parameters.items() if p.kind is not p.KEYWORD_ONLY]
    return [(name, place) for place, name in enumerate(names) if name not in ("grad", "delta")]


def refuse_unless_scalars(numbers, inputs, slots):
    for name, place in numbers:
        if place >= slots and inputs[place].ndim:
            lone(inputs[place], name)


def dense_step(formula):
    """The kernel that replaces the variable and its slots by what the formula gives."""
    numbers = numbers_of(formula)
    grad = next(i for i, name in enumerate(inspect.signature(formula).parameters) if name in ("grad", "delta"))

    @functools.wraps(formula)  # whose keyword arguments are the attributes the kernel asks for
    def step(*inputs, **attributes):
        variables = [i for i in inputs if isinstance(i, Variable)]
        refuse_unless_scalars(numbers, inputs, len(variables))
        for other in variables[1:]:
            if other.peek().shape != variables[0].peek().shape:
                raise ValueError(
                    f"variables '{variables[0].name}' {list(variables[0].peek().shape)} and '{other.name}' "
                    f"{list(other.peek().shape)} must have the same shape"
                )
        if inputs[grad].shape != variables[0].peek().shape:
            raise ValueError(
                f"the gradient has another shape than variable '{variables[0].name}': {list(inputs[grad].shape)}"
            )
        new = formula(*(v.peek() for v in variables), *inputs[len(variables) :], **attributes)
        for variable, array in zip(variables, new, strict=True):
            if array.shape != variable.peek().shape:
                raise ValueError(f"the step does not fit variable '{variable.name}' {list(variable.peek().shape)}")
            variable.assign(np.asarray(array, variable.peek().dtype), fresh=True)
        return variables[0]

    return step


def sparse_step(name, formula):
    """The kernel that does so with the rows which the input behind `grad` names, one after the other."""
    behind_grad = list(inspect.signature(formula).parameters).index("grad") + 1
    numbers = [(name, place + (place >= behind_grad)) for name, place in numbers_of(formula)]

    @functools.wraps(formula)
    def step(*inputs, **attributes):
        variables = [i for i in inputs if isinstance(i, Variable)]
        refuse_unless_scalars(numbers, inputs, len(variables))
        before, grad = inputs[len(variables) : behind_grad - 1], inputs[behind_grad - 1]
        indices, after = inputs[behind_grad], inputs[behind_grad + 1 :]
        arrays = [v.writable() for v in variables]
        if any(a.shape != arrays[0].shape for a in arrays):
            raise ValueError(f"the variable and its slots differ in shape: {[list(a.shape) for a in arrays]}")
        rows = (len(indices), *arrays[0].shape[1:]) if indices.ndim == 1 else None
        if grad.shape != rows:
            spare = () if name in AS_DEEP else grad.shape[arrays[0].ndim :]  # axes of 1 behind those of the variable
            if rows is None or grad.shape != (*rows, *spare) or set(spare) > {1}:
                raise ValueError(f"grad of shape {list(grad.shape)} does not fit {list(indices.shape)} indices")
            grad = grad.reshape(rows)
        refuse_outside(indices, len(arrays[0]))
        if name in NOT_EMPTY and not math.prod(rows[1:]):
            raise ValueError(f"rows of shape {list(rows[1:])} have no elements")
        for places in without_repeats(indices):
            chosen = indices[places]
            new = formula(*(a[chosen] for a in arrays), *before, grad[places], *after, **attributes)
            for array, values in zip(arrays, new, strict=True):
                array[chosen] = values
        return variables[0]

    return step


def without_repeats(indices):
    """The places of `indices` in turns, none of which has one index twice: all firsts, all seconds, ..."""
    order = indices.argsort(kind="stable")
    ordered = indices[order]
    turn = np.arange(len(order)) - ordered.searchsorted(ordered)
    return [order[turn == k] for k in range(turn.max(initial=-1) + 1)]


for _name, _formula in OPTIMIZERS.items():
    _dense, _sparse = dense_step(_formula), sparse_step(_name, OF_ROWS[_name]) if _name not in ONLY_DENSE else None
    kernels({f"ResourceApply{_name}": without_output(_dense)})
    if _sparse:
        kernels({f"ResourceSparseApply{_name}": without_output(_sparse)})
    if _name not in ONLY_RESOURCE:
        kernels({f"Apply{_name}": _dense})
        if _sparse:
            kernels({f"SparseApply{_name}": _sparse})
