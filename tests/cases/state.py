"""Variables by reference and by handle, set to what is fed before they are read."""

from tests.cases import case, const, f32, given


def assigned(g, x):
    """A variable's reference, after x is put in."""
    variable = g.VariableV2(dtype=x.dtype, shape=x.shape, name="v")
    return g.Assign(variable, x, validate_shape=False)


def passed_on(op):
    def graph(g, x):
        return [g.Square(getattr(g, op)(assigned(g, x)))]

    return graph


def switched(g, x, condition):
    no, yes = g.RefSwitch(assigned(g, x), condition)
    return [g.Square(g.RefMerge([no, yes])[0])]


def selected(g, x, y, index):
    return [g.Square(g.RefSelect(index, [assigned(g, x), assigned(g, y)]))]


def framed(op, **attrs):
    """TensorFlow builds gradients of these outside a loop, and runs none."""

    def graph(g, x):
        return [getattr(g, op)(assigned(g, x), **attrs) * x]

    return graph


def gathered(g, x, places):
    handle = g.VarHandleOp(dtype=x.dtype, shape=x.shape, shared_name="v", name="v")
    with g.control_dependencies([g.AssignVariableOp(handle, x)]):
        return [g.Square(g.ResourceGatherNd(handle, places, dtype=x.dtype))]


_PLACES = const([[0, 1], [2, 2]])
CASES = [
    *[case(op, f32(2, 3), graph=passed_on(op), smooth=False) for op in ("RefIdentity", "DebugGradientRefIdentity")],
    *[case(op, f32(2, 3), given(True, "bool"), graph=switched, smooth=False) for op in ("RefSwitch", "RefMerge")],
    case("RefSelect", f32(2, 3), f32(2, 3), given(1, "int32"), graph=selected, smooth=False),
    case("RefEnter", f32(2, 3), graph=framed("RefEnter", frame_name="f"), random=True),
    case("RefExit", f32(2, 3), graph=framed("RefExit"), random=True),
    case("RefNextIteration", f32(2, 3), graph=framed("RefNextIteration"), random=True),
    case("ResourceGatherNd", f32(3, 4), _PLACES, graph=gathered, smooth=False),
    case("ResourceGatherNd", f32(4), given([[1], [1]], "int64"), graph=gathered, smooth=False, order=1),
]
