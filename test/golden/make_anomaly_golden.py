"""Writes test/golden/anomaly.json: the answers of PyOD, scikit-learn and NAB's own scorer that ml/anomaly and the benchmark are held to.

Run: NAB_DIR=<checkout of github.com/numenta/NAB> python make_anomaly_golden.py    (numpy, scipy, scikit-learn, pyod; fixed seeds, so a
second run writes the same file). The tables are those that scikit-learn brings along: 357 benign of WDBC with the first 10 malignant,
and 119 wines of two growers with the first 10 of the third (UCI, CC BY 4.0).
"""
import json
import os
import pathlib
import sys
import types

import numpy as np
import pyod
import sklearn
from pyod.models.ecod import ECOD
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

HERE = pathlib.Path(__file__).parent
r = np.random.default_rng(5)


def ecod_case():
    rows = 80
    X = np.column_stack([
        r.normal(size=rows).round(3), r.exponential(size=rows).round(2), -r.exponential(size=rows).round(2),
        r.integers(0, 4, rows), np.full(rows, 2.5), np.concatenate([np.arange(-40, 0), np.arange(1, 41)]),
    ]).astype(float)
    model = ECOD().fit(X)
    # One at a time: PyOD counts the rows it scores into the tails.
    new = X[r.integers(0, rows, 12)] * 0.9
    new[:, 4] = 2.5
    new = np.clip(new, X.min(0), X.max(0))
    new[:, 5] = 0  # PyOD takes the skewness anew with each row: any other value would give the even column a side
    return {"columns": X.shape[1], "rows": X.ravel().tolist(), "scores": model.decision_scores_.tolist(),
            "newRows": new.ravel().tolist(), "newScores": [float(model.decision_function(row[None])[0]) for row in new]}


def table_case(data, normal, odd):
    X = np.vstack([data.data[np.isin(data.target, normal)], data.data[data.target == odd][:10]])
    y = np.arange(len(X)) >= len(X) - 10
    forests = [roc_auc_score(y, -IsolationForest(n_estimators=100, max_samples=256, random_state=s).fit(X).score_samples(X)) for s in range(20)]
    return {"columns": X.shape[1], "rows": X.ravel().tolist(), "odd": 10, "ecodAuc": float(roc_auc_score(y, ECOD().fit(X).decision_scores_)),
            "forestAuc": {"mean": float(np.mean(forests)), "deviation": float(np.std(forests, ddof=1))}}


def nab_case():
    sys.path.insert(0, os.environ["NAB_DIR"])
    sys.modules["nab.corpus"] = types.SimpleNamespace(Corpus=None)
    from nab.sweeper import Sweeper
    sweeper = Sweeper(0.15, {"tpWeight": 1.0, "fpWeight": 0.11, "fnWeight": 1.0, "tnWeight": 1.0})
    series, points = [], []
    for name, rows, windows in (("a", 400, [(120, 160), (300, 330)]), ("b", 900, [(500, 620)]), ("c", 6000, [(800, 1100), (5000, 5400)]), ("d", 300, [])):
        inside = np.zeros(rows, bool)
        for first, last in windows:
            inside[first:last + 1] = True
        scores = (r.random(rows) ** 6 + 0.35 * inside * r.random(rows)).clip(0, 1).round(3)
        series.append({"scores": scores.tolist(), "windows": [{"first": a, "last": b} for a, b in windows]})
        points += sweeper.calcSweepScore(list(range(rows)), scores.tolist(), windows, name)
    best = max(sweeper.calcScoreByThreshold(points), key=lambda row: row.score)
    count = sum(len(one["windows"]) for one in series)
    return {"series": series, "score": 100 * (best.score + count) / (2 * count), "threshold": best.threshold, "windows": count}


(HERE / "anomaly.json").write_text(json.dumps({
    "versions": {"numpy": np.__version__, "scikit-learn": sklearn.__version__, "pyod": pyod.__version__},
    "ecod": ecod_case(),
    "wdbc": table_case(load_breast_cancer(), [1], 0),
    "wine": table_case(load_wine(), [1, 2], 0),
    "nab": nab_case(),
}) + "\n")
