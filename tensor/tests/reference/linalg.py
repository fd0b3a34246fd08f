"""Writes linalg.txt: Einstein sums, solutions and factorizations in float64.

numpy 2.4.6, scipy 1.17.1:

    python linalg.py > linalg.txt

A line is a name, and numbers. "case NAME SHAPE.." begins a matrix or a stack of them, whose lines follow. Singular and eigenvectors
have signs of their own, so only what does not depend on them is written: products of the vectors of one value with each other.
"""

import numpy as np
import scipy.linalg

rng = np.random.default_rng(7)


def line(name, numbers):
    print(f"{name}:", *np.asarray(numbers, dtype=float).ravel().tolist())


def projections(vectors):
    """u u' for each column u."""
    return np.einsum("...ik,...jk->...kij", vectors, vectors)


def case(name, a):
    *stack, m, n = a.shape
    print(f"\n## case {name}", *a.shape)
    line("a", a)
    q, r = np.linalg.qr(a)
    line("q", q)
    line("r", r)
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    line("s", s)
    line("uvt", np.einsum("...ik,...kj->...kij", u, vt))
    line("pinv", np.linalg.pinv(a))
    b = rng.normal(size=[*stack, m, 2])
    line("b", b)
    line("lstsq", np.linalg.pinv(a) @ b)
    if m != n:
        return
    line("inverse", np.linalg.inv(a))
    line("determinant", np.linalg.det(a))
    sign, logabsdet = np.linalg.slogdet(a)
    line("sign", sign)
    line("logabsdet", logabsdet)
    line("solve", np.linalg.solve(a, b))
    lower, upper = np.tril(a), np.triu(a)
    line("lower", scipy.linalg.solve_triangular(lower, b, lower=True))
    line("upper", scipy.linalg.solve_triangular(upper, b))
    line("tril", np.tril(a, 1))
    line("triu", np.triu(a, -1))
    symmetric = lower + np.swapaxes(np.tril(a, -1), -1, -2)
    w, v = np.linalg.eigh(symmetric)
    line("w", w)
    line("projections", projections(v))
    gram = a @ np.swapaxes(a, -1, -2) + 0.5 * np.eye(n)
    line("gram", gram)
    line("cholesky", np.linalg.cholesky(gram))


def einsum(equation, *shapes):
    print(f"\n## einsum {equation}")
    operands = [rng.normal(size=shape) for shape in shapes]
    for shape, operand in zip(shapes, operands):
        line("shape", shape)
        line("operand", operand)
    result = np.einsum(equation, *operands)
    line("result shape", result.shape)
    line("result", result)


print("# linalg.py beside this file has written this and says how.")
case("one", rng.normal(size=[1, 1]))
case("square", rng.normal(size=[5, 5]))
case("stack", rng.normal(size=[2, 2, 3, 3]))
case("tall", rng.normal(size=[6, 3]))
case("wide", rng.normal(size=[2, 3, 5]))
case("hilbert", scipy.linalg.hilbert(5))
einsum("ij,jk->ik", [2, 3], [3, 4])
einsum("ij,jk", [2, 3], [3, 4])
einsum("bij,bjk->bik", [2, 3, 4], [2, 4, 2])
einsum("bqhd,bkhd->bhqk", [2, 3, 2, 4], [2, 5, 2, 4])
einsum("ii", [3, 3])
einsum("ii->i", [3, 3])
einsum("iij,jk->ki", [3, 3, 2], [2, 4])
einsum("iji->j", [3, 2, 3])
einsum("ba", [2, 3])
einsum("aB", [2, 3])
einsum("i...j", [2, 3, 4])
einsum("...ij,...jk->ik...", [5, 2, 3], [3, 4])
einsum("...,...->...", [4, 1, 3], [2, 1])
einsum("i...->...", [2, 3, 4])
einsum("ij,jk", [2, 1], [3, 4])
einsum("i j , j k -> k", [2, 3], [3, 4])
einsum("i,j->ij", [2], [3])
einsum("i,i,i->", [4], [4], [4])
einsum("ij,jk,kl,lm->im", [2, 3], [3, 4], [4, 2], [2, 3])
einsum("ab,cd,ac->bd", [2, 3], [2, 4], [2, 2])
einsum(",i", [], [3])
einsum("", [])
einsum("ij,ik,il->jkl", [3, 2], [3, 4], [3, 2])
einsum("ij,kl->", [2, 3], [2, 2])
einsum("aab,bcc->ac", [2, 2, 3], [3, 2, 2])
einsum("ij,jk->ik", [2, 0], [0, 3])
