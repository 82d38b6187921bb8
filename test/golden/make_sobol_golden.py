"""Writes `sobol.json`: points of SciPy's Sobol sequence without scrambling, in 64 dimensions.

Run: python make_sobol_golden.py    (numpy, scipy 1.9 or newer; nothing is random, so a second run writes the same file)
Points are kept as whole numbers of 2^-16, which the first 64 of them and those drawn from the first 2^16 are.
"""
import json
import pathlib

import scipy
from scipy.stats import qmc

HERE = pathlib.Path(__file__).parent
INDICES = list(range(33)) + [63, 64, 100, 1000, 4095, 4096, 65535]

if __name__ == "__main__":
    points = qmc.Sobol(64, scramble=False).random(65536)
    cases = [{"index": i, "point": [int(v * 65536) for v in points[i]]} for i in INDICES]
    assert all((points[i] * 65536 == c["point"]).all() for i, c in zip(INDICES, cases))
    (HERE / "sobol.json").write_text(json.dumps({"versions": {"scipy": scipy.__version__}, "cases": cases}) + "\n")
