"""Matrix decompositions and functions of matrices. What is known but for signs is made free of them by Abs."""

from graphgrad.dtypes import complex64, complex128
from tests.cases import case, f32, regular


def cholesky(g, a):
    """The factor of a product with its adjoint: the gradient of Cholesky is that of symmetric matrices."""
    return [g.Cholesky(g.matmul(a, a, adjoint_b=True))]


def absolute(g, x):
    return g.ComplexAbs(x, Tout=x.dtype.real_dtype) if x.dtype.is_complex else g.Abs(x)


def eig(g, a, Tout):
    values, vectors = g.Eig(a, Tout=Tout)
    return [values, absolute(g, vectors)]


def self_adjoint_eig(g, a):
    values, vectors = g.SelfAdjointEigV2(a)
    return [values, absolute(g, vectors)]


def values_alone(op_type):
    """The values of an op that is not asked for vectors, of which TensorFlow's kernel makes other shapes than it says."""
    return lambda g, a, **attrs: g.op(op_type, a, **attrs).outputs[:1]


def svd(g, a, full_matrices=False):
    s, u, v = g.Svd(a, full_matrices=full_matrices)
    return [s, absolute(g, u), absolute(g, v)]


def qr(g, a, full_matrices=False):
    return [absolute(g, x) for x in g.Qr(a, full_matrices=full_matrices)]


CASES = [
    case("Cholesky", regular(3, 3), graph=cholesky, tolerance=10),
    case("Cholesky", regular(2, 3, 3, dtype="float64"), graph=cholesky),
    case("Cholesky", regular(2, 2, dtype="complex64"), graph=cholesky, tolerance=10),
    case("CholeskyGrad", regular(3, 3), f32(3, 3), order=1),
    case("Lu", regular(3, 3), order=1),
    case("SelfAdjointEigV2", regular(3, 3), graph=self_adjoint_eig, tolerance=10),
    case("SelfAdjointEigV2", regular(2, 3, 3, dtype="float64"), graph=self_adjoint_eig),
    case("SelfAdjointEigV2", regular(3, 3, dtype="complex128"), graph=self_adjoint_eig),
    case(
        "SelfAdjointEigV2", regular(2, 3, 3, dtype="float64"), graph=values_alone("SelfAdjointEigV2"), compute_v=False
    ),
    case(
        "SelfAdjointEigV2",
        regular(3, 3, dtype="complex64"),
        graph=values_alone("SelfAdjointEigV2"),
        compute_v=False,
        tolerance=10,
    ),
    case("Eig", regular(3, 3, dtype="float64"), graph=eig, Tout=complex128),
    case("Eig", regular(2, 3, 3), graph=eig, Tout=complex64, tolerance=10),
    case("Eig", regular(3, 3, dtype="complex128"), graph=eig, Tout=complex128),
    case("Eig", regular(2, 3, 3, dtype="float64"), graph=values_alone("Eig"), compute_v=False, Tout=complex128),
    case("Svd", regular(3, 3, dtype="float64"), graph=svd),
    case("Svd", regular(4, 3, dtype="float64"), graph=svd),
    case("Svd", regular(2, 3, 5), graph=svd, tolerance=10),
    case("Svd", regular(4, 3, dtype="float64"), graph=svd, full_matrices=True),
    case("Svd", regular(2, 3, 4, dtype="float64"), graph=svd, full_matrices=True),
    case("Svd", regular(5, 3), graph=svd, full_matrices=True, smooth=False, undefined=("y1",)),
    case("Svd", regular(3, 3, dtype="complex128"), graph=svd),
    case("Svd", regular(4, 3, dtype="complex64"), graph=svd, tolerance=10),
    case("Svd", regular(2, 4, 3), graph=values_alone("Svd"), compute_uv=False),
    case("Svd", regular(3, 4, dtype="complex128"), graph=values_alone("Svd"), compute_uv=False),
    case("Qr", regular(3, 3, dtype="float64"), graph=qr),
    case("Qr", regular(2, 4, 3), graph=qr, tolerance=10),
    case("Qr", regular(3, 5, dtype="float64"), graph=qr),
    case("Qr", regular(3, 4, dtype="float64"), graph=qr, full_matrices=True),
    case("Qr", regular(4, 3), graph=qr, full_matrices=True, smooth=False),
    case("Qr", regular(4, 3, dtype="complex128"), graph=qr),
    case("Qr", regular(3, 4, dtype="complex128"), graph=qr),
    case("MatrixSquareRoot", regular(3, 3, dtype="float64")),
    case("MatrixSquareRoot", regular(2, 2, 2)),
    case("MatrixSquareRoot", regular(2, 2, dtype="complex64")),
    case("MatrixExponential", regular(2, 3, 3, dtype="float64"), order=1),
    case("MatrixLogarithm", regular(2, 3, 3, dtype="complex128"), order=1),
]
