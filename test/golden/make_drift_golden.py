"""Writes drift.json: reference answers for ml/drift by SciPy and scikit-learn. Run: python make_drift_golden.py"""
import json
from pathlib import Path

import numpy as np
from scipy import stats
from scipy.spatial.distance import jensenshannon
from scipy.special import gammaincc
from sklearn.metrics import roc_auc_score

rng = np.random.default_rng(9)


def numbers():
    cases = []
    draws = [
        (rng.normal(0, 1, 40), rng.normal(0.3, 1, 25)),
        (rng.normal(0, 1, 300), rng.normal(0, 1.3, 200)),
        (rng.poisson(2, 120).astype(float), rng.poisson(2.5, 60).astype(float)),
        (rng.lognormal(0, 1, 7), rng.lognormal(1, 1, 3)),
        (np.zeros(20), np.ones(4)),
        (np.zeros(5), np.zeros(9)),
        (np.array([1.0]), np.array([2.0])),
        (rng.normal(0, 1, 50), rng.normal(5, 1, 50)),
    ]
    for a, b in draws:
        exact = stats.ks_2samp(a, b, method="exact")
        en = len(a) * len(b) / (len(a) + len(b))
        cases.append(
            {
                "reference": sorted(map(float, a)),
                "current": sorted(map(float, b)),
                "statistic": float(exact.statistic),
                "exact": float(exact.pvalue),
                "limit": float(stats.kstwobign.sf(np.sqrt(en) * exact.statistic)),
                "wasserstein": float(stats.wasserstein_distance(a, b)),
            }
        )
    return cases


def tables():
    cases = []
    for a, b in (((30, 50, 20), (25, 70, 40)), ((500, 20, 7, 900), (60, 5, 1, 80)), ((10, 10), (10, 10)), ((1000, 1), (900, 80))):
        found = stats.chi2_contingency([a, b], correction=False)
        cases.append(
            {
                "reference": a,
                "current": b,
                "statistic": float(found.statistic),
                "p": float(found.pvalue),
                "divergence": float(jensenshannon(a, b, base=2) ** 2),
            }
        )
    return cases


def tails():
    grid = [(0.5, 0.1), (0.5, 30), (1, 1), (3, 0.01), (3, 2.9), (3, 60), (40, 20), (40, 41), (40, 90), (500, 520)]
    return [{"a": a, "x": x, "share": float(gammaincc(a, x))} for a, x in grid]


def expected():
    """The areas of many draws of labels from the probabilities themselves: their mean and deviation."""
    p = rng.beta(1, 3, 400)
    areas = [roc_auc_score(rng.random(400) < p, p) for _ in range(4000)]
    return {"probabilities": p.tolist(), "mean": float(np.mean(areas)), "deviation": float(np.std(areas))}


Path(__file__).with_name("drift.json").write_text(
    json.dumps({"numbers": numbers(), "tables": tables(), "tails": tails(), "expected": expected()})
)
