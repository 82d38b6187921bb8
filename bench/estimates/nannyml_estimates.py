"""What NannyML's CBPE expects of chunks of answers, with its defaults. Prints one JSON object: by metric the estimate of each chunk.

Run: python nannyml_estimates.py FILE, as bench/performance-estimates.ts does. The file has `classes`, and rows of `probabilities` and `truth` in
`reference` and in each of `chunks`, all of which have as many rows.
"""
import json
import sys

import nannyml as nml
import pandas as pd

with open(sys.argv[1]) as file:
    given = json.load(file)
classes = given["classes"]
names = [str(k) for k in range(classes)]


def table(rows):
    data = {f"p{k}": [row["probabilities"][k] for row in rows] for k in range(classes)}
    if classes == 2:
        data["answer"] = [int(row["probabilities"][1] >= 0.5) for row in rows]
        data["truth"] = [int(row["truth"]) for row in rows]
    else:
        data["answer"] = [names[row["probabilities"].index(max(row["probabilities"]))] for row in rows]
        data["truth"] = [names[int(row["truth"])] for row in rows]
    return pd.DataFrame(data)


estimator = nml.CBPE(
    problem_type="classification_binary" if classes == 2 else "classification_multiclass",
    y_pred_proba="p1" if classes == 2 else {names[k]: f"p{k}" for k in range(classes)},
    y_pred="answer",
    y_true="truth",
    metrics=["accuracy", "roc_auc"],
    chunk_size=len(given["chunks"][0]),
)
estimator.fit(table(given["reference"]))
analysis = pd.concat([table(rows) for rows in given["chunks"]], ignore_index=True).drop(columns="truth")
found = estimator.estimate(analysis).filter(period="analysis").to_df()
print(json.dumps({metric: [float(value) for value in found[(metric, "value")]] for metric in ("accuracy", "roc_auc")}))
