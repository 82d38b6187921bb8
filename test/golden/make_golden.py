"""Writes the reference answers that the unit tests of ml/ are held to, computed by scikit-learn and SciPy.

Run: python make_golden.py    (numpy, scipy, scikit-learn 1.5 or newer; fixed seeds, so a second run writes the same files)
Each file names the versions that made it. Tolerances stand with the tests, each with its reason.
"""
import json
import pathlib

import numpy as np
import scipy
import scipy.stats
import sklearn
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import (average_precision_score, brier_score_loss, log_loss, mean_absolute_error, median_absolute_error,
                             r2_score, root_mean_squared_error, roc_auc_score)

HERE = pathlib.Path(__file__).parent
VERSIONS = {"numpy": np.__version__, "scipy": scipy.__version__, "sklearn": sklearn.__version__}


def write(name, **content):
    (HERE / name).write_text(json.dumps({"versions": VERSIONS, **content}) + "\n")


def delong_variance(scores, labels):
    """The definition, O(positives x negatives): DeLong, DeLong and Clarke-Pearson (1988)."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    wins = (positive[:, None] > negative[None, :]) + 0.5 * (positive[:, None] == negative[None, :])
    return wins.mean(1).var(ddof=1) / len(positive) + wins.mean(0).var(ddof=1) / len(negative)


def metrics():
    r = np.random.default_rng(1)
    cases = []
    for rows, decimals in ((40, 1), (300, 2), (500, 6)):
        labels = (r.random(rows) < 0.3).astype(int)
        p = np.round(np.clip(0.3 + 0.25 * (labels - 0.3) + 0.2 * r.standard_normal(rows), 0.01, 0.99), decimals)
        cases.append({
            "scores": p.tolist(), "labels": labels.tolist(), "roc_auc": roc_auc_score(labels, p),
            "delong_variance": delong_variance(p, labels), "average_precision": average_precision_score(labels, p),
            "log_loss": log_loss(labels, np.column_stack([1 - p, p])), "brier": brier_score_loss(labels, p)})
    labels = r.integers(0, 3, 200)
    z = r.standard_normal((200, 3)) + 1.5 * np.eye(3)[labels]
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    multi = {"probabilities": p.ravel().tolist(), "labels": labels.tolist(), "log_loss": log_loss(labels, p),
             "roc_auc": roc_auc_score(labels, p, multi_class="ovr", average="macro")}
    y = r.standard_normal(101) * 10 + 50
    f = y + r.standard_normal(101) * 4
    regression = {"targets": y.tolist(), "predictions": f.tolist(), "rmse": root_mean_squared_error(y, f),
                  "mae": mean_absolute_error(y, f), "r2": r2_score(y, f), "median_ae": median_absolute_error(y, f)}
    quantiles = [[q, float(scipy.stats.norm.ppf(q))] for q in (1e-6, 0.001, 0.02, 0.025, 0.3, 0.5, 0.9, 0.975, 0.9999)]
    student = [[d, float(scipy.stats.t.ppf(0.975, d))] for d in (4, 8, 30, 1000)]
    write("metrics.json", binary=cases, multi=multi, regression=regression, normal=quantiles, student=student)


def isotonic():
    r = np.random.default_rng(2)
    cases = []
    for rows, decimals in ((12, 1), (200, 2), (400, 8)):
        x = np.round(r.random(rows), decimals)
        y = (r.random(rows) < x ** 2).astype(float)
        at = np.linspace(-0.1, 1.1, 61)
        cases.append({"x": x.tolist(), "y": y.tolist(), "at": at.tolist(),
                      "answers": IsotonicRegression(out_of_bounds="clip").fit(x, y).predict(at).tolist()})
    write("isotonic.json", cases=cases)


def forest():
    r = np.random.default_rng(3)
    rows, features = 3000, 6
    X = np.round(r.standard_normal((rows, features)), 2)
    z = X[:, 0] - X[:, 1] + 1.5 * X[:, 2] * X[:, 3]
    label = (r.random(rows) < 1 / (1 + np.exp(-z))).astype(int)
    value = np.round(z + 0.5 * r.standard_normal(rows), 3)
    train = np.arange(rows) < 2000
    # Ten seeds: the spread over them is what a difference has to be judged by.
    aucs, errors, importances = [], [], []
    for seed in range(10):
        c = RandomForestClassifier(100, max_depth=8, random_state=seed).fit(X[train], label[train])
        aucs.append(roc_auc_score(label[~train], c.predict_proba(X[~train])[:, 1]))
        importances.append(c.feature_importances_)
        v = RandomForestRegressor(100, max_depth=8, random_state=seed).fit(X[train], value[train])
        errors.append(root_mean_squared_error(value[~train], v.predict(X[~train])))
    write("forest.json", rows=rows, features=features, train=2000, hundredths=np.round(X * 100).astype(int).ravel().tolist(),
          labels=label.tolist(), values=value.tolist(), auc=[float(np.mean(aucs)), float(np.std(aucs))],
          rmse=[float(np.mean(errors)), float(np.std(errors))], importance=np.mean(importances, 0).tolist())


if __name__ == "__main__":
    metrics()
    isotonic()
    forest()
