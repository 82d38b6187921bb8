"""Writes `boosting.json`: what LightGBM learns on small tables with the parameters of `ml/ensemble/gradient-boosting.ts`.

Run: python make_boosting_golden.py    (numpy, lightgbm 4; fixed seeds and one thread, so a second run writes the same file)
Columns have few distinct values and `min_data_in_bin` is 1, so that both sides cut the same bins. `same` says that they grow the same
trees: few rounds, before a tie between two columns is broken differently. Quantiles (LightGBM interpolates them) and sets of categories are
compared by their loss.
"""
import json
import pathlib

import lightgbm
import numpy as np

HERE = pathlib.Path(__file__).parent
SHARED = dict(learning_rate=0.1, num_leaves=8, min_data_in_leaf=10, min_sum_hessian_in_leaf=1e-3, lambda_l2=0.5, max_bin=255, min_data_in_bin=1,
              num_threads=1, deterministic=True, verbose=-1, seed=1)


def table(seed, rows, columns, missing=0.0):
    r = np.random.default_rng(seed)
    X = np.round(r.standard_normal((rows, columns)), 1)
    X[r.random(X.shape) < missing] = np.nan
    z = 1.5 * np.nan_to_num(X[:, 0], nan=1.2) - np.nan_to_num(X[:, 1]) * np.nan_to_num(X[:, 2]) + 0.5 * r.standard_normal(rows)
    return r, X, z


def case(name, X, y, loss, objective, rounds=5, same=True, weights=None, categorical=(), monotone=None, **changes):
    parameters = {**SHARED, **objective, **changes}
    if monotone:
        parameters.update(monotone_constraints=monotone, monotone_constraints_method="basic")
    data = lightgbm.Dataset(X, y, weight=weights, categorical_feature=list(categorical), free_raw_data=False)
    model = lightgbm.train(parameters, data, rounds)
    known = {"max_depth": "maxDepth", "num_leaves": "maxLeaves", "min_data_in_leaf": "minSamplesLeaf"}
    return {"name": name, "x": [[None if np.isnan(v) else v for v in row] for row in X.tolist()], "y": y.tolist(), "loss": loss, "rounds": rounds, "same": same,
            "weights": None if weights is None else weights.tolist(), "categorical": list(categorical), "monotone": monotone,
            "changes": {known[key]: value for key, value in changes.items() if key in known},
            "raw": np.round(model.predict(X, raw_score=True), 7).reshape(-1).tolist()}


def main():
    cases = []
    r, X, z = table(1, 400, 4)
    cases.append(case("logistic", X, (z > 0).astype(float), {"kind": "logistic"}, {"objective": "binary"}))
    r, X, z = table(2, 400, 4, missing=0.15)
    cases.append(case("logistic, missing values, depth 3", X, (z > 0).astype(float), {"kind": "logistic"}, {"objective": "binary"}, max_depth=3))
    r, X, z = table(3, 400, 4)
    cases.append(case("softmax", X, np.digitize(z, [-1, 1]).astype(float), {"kind": "softmax", "classes": 3}, {"objective": "multiclass", "num_class": 3}))
    r, X, z = table(4, 400, 4, missing=0.1)
    cases.append(case("squared, weights", X, np.round(z, 3), {"kind": "squared"}, {"objective": "regression"}, weights=np.round(r.random(400) + 0.5, 2)))
    r, X, z = table(5, 400, 4)
    cases.append(case("quantile", X, np.round(z, 3), {"kind": "quantile", "alpha": 0.8}, {"objective": "quantile", "alpha": 0.8}, rounds=20, same=False))
    r, X, z = table(6, 400, 4)
    cases.append(case("poisson", X, r.poisson(np.exp(z / 2)).astype(float), {"kind": "poisson"}, {"objective": "poisson"}, rounds=3))
    r, X, z = table(7, 400, 4)
    cases.append(case("monotone", X, np.round(z, 3), {"kind": "squared"}, {"objective": "regression"}, monotone=[1, 0, -1, 0]))
    r, X, z = table(8, 1500, 3)
    X[:, 1] = r.integers(0, 24, 1500)
    effect = r.standard_normal(24)
    y = (X[:, 0] + 2 * effect[X[:, 1].astype(int)] + 0.5 * r.standard_normal(1500) > 0).astype(float)
    cases.append(case("categories", X, y, {"kind": "logistic"}, {"objective": "binary"}, rounds=20, same=False, categorical=[1]))
    text = json.dumps({"lightgbm": lightgbm.__version__, "shared": {"learningRate": 0.1, "maxLeaves": 8, "minSamplesLeaf": 10, "l2": 0.5}, "cases": cases})
    (HERE / "boosting.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
