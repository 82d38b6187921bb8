"""Writes `forecast.json`: what statsmodels says about two monthly series.

Run: python make_forecast_golden.py    (statsmodels 0.14 or newer, pandas; no randomness, so a second run writes the same file)
The series: monthly airline passengers 1949-1960 (Box and Jenkins 1976, thousands), and the monthly means of weekly CO2 at Mauna Loa
1958-2001 that statsmodels ships (public domain), gaps interpolated.
"""
import json
import pathlib
import warnings

import numpy as np
import pandas as pd
import statsmodels
from statsmodels.datasets import co2
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.forecasting.theta import ThetaModel
from statsmodels.tsa.holtwinters import ExponentialSmoothing
from statsmodels.tsa.seasonal import MSTL, STL

HERE = pathlib.Path(__file__).parent
AIR = """112 118 132 129 121 135 148 148 136 119 104 118 115 126 141 135 125 149 170 170 158 133 114 140 145 150 178 163 172 178 199 199
184 162 146 166 171 180 193 181 183 218 230 242 209 191 172 194 196 196 236 235 229 243 264 272 237 211 180 201 204 188 235 227 234 264
302 293 259 229 203 229 242 233 267 269 270 315 364 347 312 274 237 278 284 277 317 313 318 374 413 405 355 306 271 306 315 301 356 348
355 422 465 467 404 347 305 336 340 318 362 348 363 435 491 505 404 359 310 337 360 342 406 396 420 472 548 559 463 407 362 405 417 391
419 461 472 535 622 606 508 461 390 432"""
air = np.array([float(v) for v in AIR.split()])
carbon = co2.load_pandas().data["co2"].resample("MS").mean().interpolate().to_numpy()


def rounded(values, digits=10):
    return [round(float(v), digits) for v in values]


def fixed_smoothing():
    """Forms with parameters and first states given: the recursion and the likelihood, nothing estimated."""
    cases = []
    seasonal = {"add": np.array([-20., -18, 10, 0, -5, 20, 45, 44, 10, -20, -46, -20]),
                "mul": np.array([.91, .90, 1.02, .98, .98, 1.1, 1.2, 1.19, 1.05, .92, .8, .95])}
    given = {"smoothing_level": .3, "smoothing_trend": .05, "smoothing_seasonal": .2, "damping_trend": .95}
    for error, trend, damped, season in (("add", None, False, None), ("add", "add", False, None), ("add", "add", True, "add"),
                                         ("mul", None, False, "add"), ("mul", "add", False, None)):
        model = ETSModel(pd.Series(air), error=error, trend=trend, damped_trend=damped, seasonal=season,
                         seasonal_periods=12 if season else None, initialization_method="known", initial_level=120.,
                         initial_trend=1.5 if trend else None, initial_seasonal=seasonal[season] if season else None)
        result = model.smooth([given[name] for name in model.param_names if name in given])
        cases.append({"error": error, "trend": trend, "damped": damped, "season": season, "level": 120., "slope": 1.5,
                      "seasonal": seasonal[season].tolist() if season else [], "alpha": .3, "beta": .05 if trend else 0,
                      "gamma": .2 if season else 0, "phi": .95 if damped else 1, "llf": float(result.llf),
                      "forecast": rounded(result.forecast(18))})
    # ETSModel divides by the new level where its own documentation (and Hyndman et al.) divide by the one before, so multiplied seasons
    # are compared with Holt and Winters' own recursion. There beta is the share of the level's change: ours is alpha times that. Eleven
    # steps: for the twelfth it takes the season's value from before the last update.
    for damped in (False, True):
        model = ExponentialSmoothing(air, trend="add", damped_trend=damped, seasonal="mul", seasonal_periods=12, initialization_method="known",
                                     initial_level=120., initial_trend=1.5, initial_seasonal=seasonal["mul"])
        result = model.fit(optimized=False, **{k: v for k, v in given.items() if damped or k != "damping_trend"})
        llf = -len(air) / 2 * (np.log(2 * np.pi * result.sse / len(air)) + 1)
        cases.append({"error": "add", "trend": "add", "damped": damped, "season": "mul", "level": 120., "slope": 1.5,
                      "seasonal": seasonal["mul"].tolist(), "alpha": .3, "beta": .3 * .05, "gamma": .2, "phi": .95 if damped else 1,
                      "llf": float(llf), "forecast": rounded(result.forecast(11))})
    return cases


def estimated():
    """The best likelihood that statsmodels finds: ours must be as good."""
    cases = []
    for name, y in (("air", air), ("co2", carbon[-240:])):
        for error, trend, damped, season in (("add", "add", True, "add"), ("mul", "add", True, "mul"), ("mul", "add", False, "add")):
            fit = ETSModel(pd.Series(y), error=error, trend=trend, damped_trend=damped, seasonal=season, seasonal_periods=12).fit(disp=False, maxiter=2000)
            cases.append({"series": name, "error": error, "trend": trend, "damped": damped, "season": season, "llf": float(fit.llf)})
    return cases


def decompositions():
    cases = []
    for name, y, options in (("air", air, {"seasonal": 7}), ("air", air, {"seasonal": 13, "seasonal_deg": 0}),
                             ("air", np.log(air), {"seasonal": 11, "robust": True}), ("co2", carbon[-301:], {"seasonal": 35, "trend": 41})):
        fit = STL(y, period=12, **options).fit()
        cases.append({"values": rounded(y), "options": options, "trend": rounded(fit.trend), "seasonal": rounded(fit.seasonal)})
    t = np.arange(400)
    several = 50 + .02 * t + 5 * np.sin(2 * np.pi * t / 12) + 3 * np.cos(2 * np.pi * t / 60) + np.sin(t * 1.7) * np.cos(t * .31)
    fit = MSTL(several, periods=(12, 60), windows=(11, 15), stl_kwargs={"seasonal_deg": 0}).fit()
    return cases, {"values": rounded(several), "seasonals": [rounded(fit.seasonal[:, k]) for k in range(2)]}


def theta():
    cases = []
    for name, y in (("air", air), ("co2", carbon)):
        fit = ThetaModel(pd.Series(y, index=pd.date_range("1949", periods=len(y), freq="MS")), period=12).fit()
        cases.append({"series": name, "alpha": float(fit.params["alpha"]), "forecast": rounded(fit.forecast(12))})
    return cases


def figures():
    """MASE over the last five origins, twelve months apart, as ours is measured."""
    rows = []
    for name, y in (("air", air), ("co2", carbon)):
        scores = {}
        for origin in range(len(y) - 60, len(y), 12):
            past, future = y[:origin], y[origin:origin + 12]
            scale = np.abs(past[12:] - past[:-12]).mean()
            index = pd.date_range("1949", periods=len(past), freq="MS")
            answers = {"seasonal_naive": past[-12:], "theta": ThetaModel(pd.Series(past, index=index), period=12).fit().forecast(12).to_numpy()}
            for season in ("add", "mul"):
                answers[f"holt_winters_{season}"] = ExponentialSmoothing(past, trend="add", damped_trend=True, seasonal=season, seasonal_periods=12).fit().forecast(12)
            for model, forecast in answers.items():
                scores.setdefault(model, []).append(np.abs(future - forecast).mean() / scale)
        rows.append({"series": name, **{model: round(float(np.mean(s)), 4) for model, s in scores.items()}})
    return rows


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    stl, mstl = decompositions()
    golden = {"versions": {"statsmodels": statsmodels.__version__}, "air": air.tolist(), "co2": rounded(carbon), "fixed": fixed_smoothing(),
              "estimated": estimated(), "stl": stl, "mstl": mstl, "theta": theta(), "figures": figures()}
    (HERE / "forecast.json").write_text(json.dumps(golden) + "\n")
