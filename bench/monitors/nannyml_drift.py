"""Which columns of windows NannyML says have drifted from a reference, with its defaults. Prints one JSON line a stream, as bench/monitors/peer-drift.ts
reads it.

Run: python nannyml_drift.py FILE. Each line of the file is a stream: `{name, reference, windows}`, each a table `{column: [values]}`, all windows of one
length. The reference is shuffled, since the values of each column come sorted and NannyML cuts it into chunks.
"""
import json
import sys

import nannyml as nml
import pandas as pd


def table(columns, seed):
    return pd.DataFrame({name: pd.Series(values).sample(frac=1, random_state=seed).to_numpy() for name, values in columns.items()})


with open(sys.argv[1]) as file:
    for line in file:
        given = json.loads(line)
        reference = table(given["reference"], 0)
        windows = [table(window, 0) for window in given["windows"]]
        texts = [name for name in reference if not pd.api.types.is_numeric_dtype(reference[name])]
        calculator = nml.UnivariateDriftCalculator(
            column_names=list(reference), treat_as_categorical=texts, chunk_size=len(windows[0])
        )
        calculator.fit(reference)
        found = calculator.calculate(pd.concat(windows, ignore_index=True)).filter(period="analysis").to_df()
        places = [place for place in found.columns if place[-1] == "alert"]
        named = [sorted({place[0] for place in places if window[place]}) for _, window in found.iterrows()]
        print(json.dumps({"name": given["name"], "named": named}), flush=True)
