"""Point-in-time joins of Polars and pandas on the file of bench/features.ts: the last row that was known at a time. Prints seconds as JSON."""

import json
import random
import sys
import time

file, entities, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(1)
asked = {"entity": [f"e{n}" for n in range(entities)], "offset": [random.randrange(seconds) for _ in range(entities)]}
answer = {}
try:
    import polars as pl

    left = pl.DataFrame(asked).with_columns(at=pl.datetime(2024, 1, 1) + pl.duration(seconds=pl.col("offset"))).sort("at")
    start = time.perf_counter()
    right = pl.read_parquet(file).sort("known_at")
    left.with_columns(pl.col("at").cast(right["known_at"].dtype)).join_asof(right, left_on="at", right_on="known_at", by="entity")
    answer["polars_join_asof_seconds"] = time.perf_counter() - start
except ImportError:
    answer["polars_join_asof_seconds"] = None
try:
    import pandas as pd

    left = pd.DataFrame(asked)
    left["at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(left["offset"], unit="s")
    start = time.perf_counter()
    right = pd.read_parquet(file).sort_values("known_at")
    left = left.sort_values("at")
    left["at"] = left["at"].astype(right["known_at"].dtype)
    pd.merge_asof(left, right, left_on="at", right_on="known_at", by="entity")
    answer["pandas_merge_asof_seconds"] = time.perf_counter() - start
except ImportError:
    answer["pandas_merge_asof_seconds"] = None
print(json.dumps(answer))
