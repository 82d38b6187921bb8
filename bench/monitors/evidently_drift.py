"""Which columns of windows Evidently's default drift report says have drifted. Prints one JSON line a stream, as bench/monitors/peer-drift.ts reads it.

Run: python evidently_drift.py FILE. Each line of the file is a stream: `{name, reference, windows}`, each a table `{column: [values]}`. A column drifts by
Evidently's own choice of method and threshold.
"""
import json
import sys

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset


def is_drift(metric):
    """A chance is drift below its threshold, a distance from it on."""
    limit, value = metric["config"]["threshold"], float(metric["value"])
    return value < limit if "p_value" in metric["config"]["method"] else value >= limit


with open(sys.argv[1]) as file:
    for line in file:
        given = json.loads(line)
        reference = pd.DataFrame(given["reference"])
        named = []
        for window in given["windows"]:
            result = Report([DataDriftPreset()]).run(pd.DataFrame(window), reference).dict()
            drifts = [m for m in result["metrics"] if m["config"]["type"].endswith(":ValueDrift")]
            own = [m["config"]["column"] for m in drifts if is_drift(m)]
            count = next(m["value"] for m in result["metrics"] if "DriftedColumnsCount" in m["metric_name"])
            assert len(own) == count["count"], (own, count)
            named.append(own)
        print(json.dumps({"name": given["name"], "named": named}), flush=True)
