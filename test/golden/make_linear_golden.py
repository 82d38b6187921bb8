"""Writes `linear.json`: what scikit-learn's logistic and ridge regressions find on small tables.

Run: python make_linear_golden.py    (numpy, scikit-learn 1.5 or newer; fixed seeds, so a second run writes the same file)
The designs are standardised here as ml/linear does it (population deviation), so that coefficients can be compared one by one.
"""
import json
import pathlib

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression, Ridge

HERE = pathlib.Path(__file__).parent


def logistic():
    r = np.random.default_rng(5)
    cases = []
    for rows, columns, classes, strength, weighted, balance in (
            (120, 3, 2, 1.0, False, None), (200, 4, 2, 0.01, True, None), (150, 3, 2, 10.0, True, "balanced"),
            (240, 4, 3, 1.0, False, None), (240, 3, 4, 0.1, True, "balanced")):
        X = np.round(r.standard_normal((rows, columns)) * [1, 10, 0.1, 3][:columns] + 2, 3)
        z = (X - X.mean(0)) / X.std(0) @ r.standard_normal((columns, classes)) + r.gumbel(size=(rows, classes))
        y = z.argmax(1)
        weights = r.integers(1, 4, rows) if weighted else np.ones(rows, int)
        mean = np.average(X, axis=0, weights=weights)
        scale = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weights))
        # class_weight="balanced" of scikit-learn counts rows, ours their weights: the factors are therefore given as weights.
        total = weights.astype(float)
        if balance:
            per_class = np.array([weights[y == c].sum() for c in range(classes)])
            total *= (weights.sum() / (classes * per_class))[y]
        model = LogisticRegression(C=1 / strength, tol=1e-12, max_iter=100000).fit((X - mean) / scale, y, sample_weight=total)
        cases.append({"x": X.tolist(), "y": y.tolist(), "classes": classes, "strength": strength, "weights": weights.tolist(),
                      "balanced": balance is not None, "coefficients": model.coef_.tolist(), "intercepts": model.intercept_.tolist(),
                      "probabilities": model.predict_proba((X - mean) / scale)[:20].tolist()})
    return cases


def ridge():
    r = np.random.default_rng(6)
    cases = []
    for rows, columns, strength, weighted in ((60, 3, 1.0, False), (100, 5, 0.01, True), (40, 4, 50.0, True)):
        X = np.round(r.standard_normal((rows, columns)) * 5 + 1, 3)
        X[:, -1] = np.round(X[:, 0] + 0.01 * X[:, -1], 4)
        y = np.round(X @ r.standard_normal(columns) + r.standard_normal(rows), 3)
        weights = r.integers(1, 4, rows) if weighted else np.ones(rows, int)
        mean = np.average(X, axis=0, weights=weights)
        scale = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weights))
        Z = (X - mean) / scale
        model = Ridge(alpha=strength, solver="cholesky").fit(Z, y, sample_weight=weights)
        cases.append({"x": X.tolist(), "y": y.tolist(), "strength": strength, "weights": weights.tolist(),
                      "coefficients": model.coef_.tolist(), "intercept": float(model.intercept_)})
    return cases


if __name__ == "__main__":
    versions = {"numpy": np.__version__, "sklearn": sklearn.__version__}
    (HERE / "linear.json").write_text(json.dumps({"versions": versions, "logistic": logistic(), "ridge": ridge()}) + "\n")
