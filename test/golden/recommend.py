"""Writes test/golden/recommend.json: the answers of NumPy and SciPy that ml/recommend is held to.

Run: python recommend.py    (numpy, scipy; fixed seeds, so a second run writes the same file)
EASE is the textbook formula with a dense inverse, item neighbours the textbook cosine, ALS the exact least squares of Hu, Koren
and Volinsky (2008) solved by numpy.linalg.solve from the item vectors that are in the file.
"""
import json
import pathlib

import numpy as np
import scipy

HERE = pathlib.Path(__file__).parent
r = np.random.default_rng(7)


def interactions(users, items):
    popularity = 1 / (1 + np.arange(items)) ** 0.7
    taste = r.integers(0, 4, users)
    weights = np.where(np.arange(items)[None] % 4 == taste[:, None], 8, 1) * popularity
    X = np.zeros((users, items))
    for u in range(users):
        chosen = r.choice(items, r.integers(1, 12), False, weights[u] / weights[u].sum())
        X[u, chosen] = r.integers(1, 5, len(chosen))
    return X


def ease(X, lam, exponent):
    w = X.astype(bool).sum(1) ** -float(exponent)
    w /= w.mean()
    P = np.linalg.inv(X.T @ (w[:, None] * X) + lam * np.eye(X.shape[1]))
    B = -P / np.diag(P)
    np.fill_diagonal(B, 0)
    return B


def cosine(X, shrinkage):
    G = X.T @ X
    d = np.sqrt(np.diag(G))
    C = G / (np.outer(d, d) + shrinkage)
    np.fill_diagonal(C, 0)
    return C


X = interactions(120, 40)
users, columns = np.nonzero(X)
Y = np.round(r.standard_normal((40, 8)) * 0.3, 3)
als = {"regularization": 2.5, "alpha": 4.0, "vectors": Y.ravel().tolist(), "histories": []}
for u in (0, 5, 17):
    h = np.flatnonzero(X[u])
    c = 4.0 * X[u, h]
    A = Y.T @ Y + 2.5 * np.eye(8) + (Y[h].T * c) @ Y[h]
    x = np.linalg.solve(A, Y[h].T @ (1 + c))
    als["histories"].append({"items": h.tolist(), "weights": X[u, h].tolist(), "taste": x.tolist(), "scores": (Y @ x).tolist()})
(HERE / "recommend.json").write_text(json.dumps({
    "versions": {"numpy": np.__version__, "scipy": scipy.__version__},
    "users": 120, "items": 40, "user": users.tolist(), "item": columns.tolist(), "weight": X[users, columns].tolist(),
    "ease": [{"lambda": lam, "userExponent": e, "weights": ease(X, lam, e).round(9).ravel().tolist()} for lam, e in ((5, 0), (60, 0), (60, 0.5))],
    "cosine": [{"shrinkage": s, "weights": cosine(X, s).round(9).ravel().tolist()} for s in (0, 10)],
    "als": als,
}) + "\n")
