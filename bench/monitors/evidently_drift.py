"""What Evidently's default drift report says of windows beside a reference. Prints one JSON line a stream, as bench/monitors/evidently-drift.ts reads it.

Run: python evidently_drift.py FILE. Each line of the file is a stream: `{name, reference, windows}`, each a table `{column: [values]}`. A column drifts by
Evidently's own choice of method and threshold, the data set where half of the columns do.
"""
import json
import sys

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

with open(sys.argv[1]) as file:
    for line in file:
        given = json.loads(line)
        reference = pd.DataFrame(given["reference"])
        named = []
        for window in given["windows"]:
            result = Report([DataDriftPreset()]).run(pd.DataFrame(window), reference).dict()
            count = next(m["value"] for m in result["metrics"] if "DriftedColumnsCount" in m["metric_name"])
            named.append({"columns": int(count["count"]), "share": float(count["share"])})
        print(json.dumps({"name": given["name"], "windows": named}), flush=True)
