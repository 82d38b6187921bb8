"""Optuna's default sampler over a search space of this service. Reads one line of JSON, {space, seeds, trials}; then prints a line for each trial,
{seed, configuration}, and reads its loss. Started by bench/tuning-tables.ts."""
import json
import sys

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
order = json.loads(sys.stdin.readline())


def draw(trial, name, of):
    if of["type"] == "categorical":
        return trial.suggest_categorical(name, of["choices"])
    if of["type"] == "int":
        return trial.suggest_int(name, of["low"], of["high"], step=of["step"], log=of["log"])
    return trial.suggest_float(name, of["low"], of["high"], log=of["log"])


for seed in range(order["seeds"]):

    def measure(trial):
        configuration = {name: draw(trial, name, of) for name, of in order["space"].items()}
        print(json.dumps({"seed": seed, "configuration": configuration}), flush=True)
        return float(sys.stdin.readline())

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(measure, n_trials=order["trials"])
