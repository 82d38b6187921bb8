"""Writes `preprocessing.json`: what scikit-learn's imputers, scalers, normalizer and encoders make of small columns.

Run: python make_preprocessing_golden.py    (numpy, scikit-learn 1.5 or newer; fixed seeds, so a second run writes the same file)
Missing values are null. Clipping is done with NumPy's percentiles, as scikit-learn has no step for it.
"""
import json
import pathlib

import numpy as np
import sklearn
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (MinMaxScaler, Normalizer, OneHotEncoder, RobustScaler, StandardScaler, TargetEncoder)

HERE = pathlib.Path(__file__).parent
SCALERS = {"standard": StandardScaler, "minmax": MinMaxScaler, "robust": RobustScaler}
FILLS = {"mean": "mean", "median": "median", "mode": "most_frequent", "constant": "constant"}


def plain(values):
    return [None if np.isnan(v) else float(v) for v in np.asarray(values, float).ravel()]


def columns():
    r = np.random.default_rng(3)
    normal = r.normal(50, 12, 41)
    skewed = np.exp(r.normal(0, 2, 60))
    whole = r.integers(0, 5, 50).astype(float)
    for values in (normal, skewed, whole):
        values[r.choice(len(values), 6, replace=False)] = np.nan
    large = 1e9 + r.normal(0, 1, 30)
    return {"normal": normal, "skewed": skewed, "whole": whole, "large": large, "equal": np.full(12, 0.1),
            "two": np.array([3.0, np.nan, 7.0])}


def numbers():
    cases = []
    for name, values in columns().items():
        for clip in (None, "iqr", "quantiles"):
            clipped = values.copy()
            if clip == "iqr":
                q1, q3 = np.nanpercentile(values, [25, 75])
                clipped = np.clip(values, q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1))
            if clip == "quantiles":
                clipped = np.clip(values, *np.nanquantile(values, [0.05, 0.9]))
            for fill, strategy in FILLS.items():
                if clip and fill != "median":
                    continue
                filled = SimpleImputer(strategy=strategy, **({"fill_value": -3.0} if fill == "constant" else {})).fit_transform(clipped[:, None])
                for scaling, scaler in SCALERS.items():
                    out = scaler().fit_transform(filled)
                    cases.append({"column": name, "clip": clip, "missing": fill, "scaling": scaling, "out": plain(out)})
            for scaling, scaler in SCALERS.items() if clip is None else ():
                cases.append({"column": name, "clip": clip, "missing": "keep", "scaling": scaling,
                              "out": plain(scaler().fit_transform(clipped[:, None]))})
    return cases


def rows():
    r = np.random.default_rng(5)
    X = r.normal(0, 3, (20, 4))
    X[4] = 0
    return {"x": X.tolist(), "out": Normalizer().fit_transform(X).tolist()}


def encoders():
    r = np.random.default_rng(9)
    categories = r.choice(["red", "green", "blue", "rare"], 200, p=[0.5, 0.3, 0.19, 0.01])
    number = r.normal(0, 1, 200) + (categories == "red")
    binary = (r.random(200) < np.where(categories == "green", 0.8, 0.3)).astype(int)
    many = r.integers(0, 3, 200)
    many[categories == "blue"] = 2
    cases = []
    for target, y, kind in (("number", number, "continuous"), ("binary", binary, "binary"), ("many", many, "multiclass")):
        for smooth in ("auto", 10.0, 0.0):
            encoder = TargetEncoder(smooth=smooth, target_type=kind).fit(categories[:, None], y)
            cases.append({"target": target, "smoothing": smooth, "categories": encoder.categories_[0].tolist(),
                          "encodings": [e.tolist() for e in encoder.encodings_], "mean": np.atleast_1d(encoder.target_mean_).tolist()})
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(categories[:, None])
    probes = ["red", "violet", "blue"]
    return {"categories": categories.tolist(), "y": {"number": number.tolist(), "binary": binary.tolist(), "many": many.tolist()},
            "target": cases, "probes": probes, "one_hot": one_hot.transform(np.array(probes)[:, None]).tolist()}


document = {"made_with": f"scikit-learn {sklearn.__version__}", "columns": {k: plain(v) for k, v in columns().items()},
            "numbers": numbers(), "rows": rows(), "encoders": encoders()}
(HERE / "preprocessing.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")
