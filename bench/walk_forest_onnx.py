"""Times ONNX Runtime on forests that walk-forest.ts has written, one thread, as JSON: microseconds a row of each forest.

Run by walk-forest.ts: python walk_forest_onnx.py FOLDER. Needs numpy, onnx and onnxruntime.
"""
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

folder = Path(sys.argv[1])
spec = json.loads((folder / "forests.json").read_text())


def model_of(forest):
    """The forest as one TreeEnsembleClassifier, its trees' answers averaged by weights."""
    feature, left = forest["feature"], forest["left"]
    offsets, outputs = forest["treeOffsets"], forest["outputs"]
    trees = len(offsets) - 1
    nodes = {k: [] for k in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids", "missing_value_tracks_true")}
    leaves = {k: [] for k in ("treeids", "nodeids", "ids", "weights")}
    for tree in range(trees):
        root = offsets[tree]
        for node in range(root, offsets[tree + 1]):
            is_leaf = feature[node] < 0
            nodes["treeids"].append(tree)
            nodes["nodeids"].append(node - root)
            nodes["featureids"].append(max(0, feature[node]))
            nodes["values"].append(0.0 if is_leaf else forest["threshold"][node])
            nodes["modes"].append("LEAF" if is_leaf else "BRANCH_LEQ")
            nodes["truenodeids"].append(0 if is_leaf else left[node] - root)
            nodes["falsenodeids"].append(0 if is_leaf else left[node] + 1 - root)
            nodes["missing_value_tracks_true"].append(forest["missingLeft"][node])
            if is_leaf:
                for o in range(outputs):
                    leaves["treeids"].append(tree)
                    leaves["nodeids"].append(node - root)
                    leaves["ids"].append(o)
                    leaves["weights"].append(forest["values"][forest["valueOffset"][node] + o] / trees)
    attributes = {f"nodes_{k}": v for k, v in nodes.items()} | {f"class_{k}": v for k, v in leaves.items()}
    node = helper.make_node("TreeEnsembleClassifier", ["X"], ["label", "probabilities"], domain="ai.onnx.ml",
                            classlabels_int64s=list(range(outputs)), post_transform="NONE", **attributes)
    graph = helper.make_graph([node], "forest", [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, spec["columns"]])],
                              [helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
                               helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, outputs])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("", 15)])
    model.ir_version = 8
    return model.SerializeToString()


options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
answers = []
for forest in spec["forests"]:
    session = onnxruntime.InferenceSession(model_of(forest), options, providers=["CPUExecutionProvider"])
    for name in spec["matrices"]:
        rows = np.fromfile(folder / f"{name}.f64").reshape(spec["columns"], -1).T.astype(np.float32)
        rows = np.ascontiguousarray(rows)
        session.run(["probabilities"], {"X": rows})
        times = []
        for _ in range(spec["repeats"]):
            start = time.perf_counter()
            found = session.run(["probabilities"], {"X": rows})[0]
            times.append((time.perf_counter() - start) * 1e6 / len(rows))
        expected = np.fromfile(folder / f"{forest['name']}-{name}.f64").reshape(len(rows), -1)
        answers.append({"forest": forest["name"], "matrix": name, "us_per_row": statistics.median(times),
                        "rows_that_differ": int((np.abs(found - expected) > 1e-4).any(axis=1).sum()), "rows": len(rows)})
print(json.dumps(answers))
