"""Writes sequential.json: reference answers for ml/sequential by SciPy and statsmodels. Run: python make_sequential_golden.py"""
import json
from pathlib import Path

import numpy as np
import statsmodels.api as sm
from scipy import integrate, special, stats

rng = np.random.default_rng(20)


def sums(n, y):
    return {
        "entities": len(n),
        "requests": int(n.sum()),
        "total": float(y.sum()),
        "requestsSquared": float((n * n).sum()),
        "totalSquared": float((y * y).sum()),
        "crossed": float((n * y).sum()),
    }


def clustered():
    """A mean over requests with standard errors clustered by user: an intercept alone, by statsmodels."""
    cases = []
    for users, p in ((40, 0.3), (300, 0.05)):
        n = 1 + np.floor(rng.lognormal(1, 1, users)).astype(int)
        rate = rng.beta(5 * p, 5 * (1 - p), users)
        rows = [rng.random(k) < r for k, r in zip(n, rate)]
        y = np.array([row.sum() for row in rows], float)
        flat = np.concatenate(rows).astype(float)
        fit = sm.OLS(flat, np.ones(len(flat))).fit(
            cov_type="cluster", cov_kwds={"groups": np.repeat(np.arange(users), n)}
        )
        cases.append({"sums": sums(n, y), "ratio": float(fit.params[0]), "variance": float(fit.bse[0] ** 2)})
    return cases


def adjusted():
    """Analysis of covariance: the coefficient of the group in a regression that also has the covariate."""
    size = 500
    groups, columns = [], []
    for group in (1, 0):
        x = rng.normal(10, 3, size)
        y = 2 + 0.8 * x + group * 0.4 + rng.normal(0, 1, size)
        before = {"total": x.sum(), "squared": (x * x).sum(), "withTotal": (x * y).sum(), "withRequests": x.sum()}
        groups.append({**sums(np.ones(size), y), "before": {k: float(v) for k, v in before.items()}})
        columns.append((np.full(size, group), x, y))
    t, x, y = (np.concatenate(parts) for parts in zip(*columns))
    fit = sm.OLS(y, np.column_stack([np.ones(2 * size), t, x])).fit()
    within = fit.resid
    variance = sum(np.var(within[t == group], ddof=1) / size for group in (1, 0))
    return {"groups": groups, "difference": float(fit.params[1]), "variance": float(variance)}


def split():
    cases = []
    for counts, shares in (((5200, 4800), (0.5, 0.5)), ((90, 110, 205), (0.25, 0.25, 0.5)), ((0, 0), (0.5, 0.5))):
        alpha = 100 * np.array(shares)
        n = sum(counts)
        log = stats.dirichlet_multinomial.logpmf(counts, alpha, n) - stats.multinomial.logpmf(counts, n, shares)
        cases.append({"counts": counts, "shares": shares, "log": float(log)})
    return cases


def event_split():
    cases = []
    for first, second, share in ((12, 3, 0.5), (3, 12, 0.5), (40, 60, 0.1), (0, 0, 0.5)):
        ratios = np.array([1.25, 1.5, 2, 3, 5, 10])
        likelier = stats.binom.pmf(first, first + second, ratios * share / (ratios * share + 1 - share))
        log = np.log((likelier / stats.binom.pmf(first, first + second, share)).mean())
        cases.append({"first": first, "second": second, "share": share, "log": float(log)})
    return cases


def rare():
    cases = []
    for events, trials, bound in ((0, 900, 0.005), (2, 1500, 0.005), (9, 300, 0.01)):
        rates = np.array([0, 0.1, 0.25, 0.5]) * bound
        log = np.log((stats.binom.pmf(events, trials, rates) / stats.binom.pmf(events, trials, bound)).mean())
        cases.append({"events": events, "trials": trials, "bound": bound, "log": float(log)})
    return cases


def best(densities, distributions, low, high):
    chances = []
    for k, density in enumerate(densities):
        others = [f for j, f in enumerate(distributions) if j != k]
        value, _ = integrate.quad(
            lambda x: density(x) * np.prod([f(x) for f in others]), low, high, limit=500, epsabs=1e-12
        )
        chances.append(value)
    return chances


def propensities():
    cases = []
    for counts in (((12, 88), (18, 82), (9, 91)), ((0, 0), (3, 1))):
        laws = [stats.beta(s + 1, f + 1) for s, f in counts]
        arms = [{"kind": "bernoulli", "successes": s, "failures": f} for s, f in counts]
        cases.append({"arms": arms, "chances": best([law.pdf for law in laws], [law.cdf for law in laws], 0, 1)})
    for pairs in (((1.0, 0.2), (1.1, 0.3), (0.7, 0.5)), ((0.0, 0.001), (0.1, 1.0))):
        laws = [stats.norm(m, s) for m, s in pairs]
        arms = [{"kind": "gaussian", "mean": m, "deviation": s} for m, s in pairs]
        if len(pairs) == 2:
            (m, s), (k, t) = pairs
            first = float(stats.norm.cdf((m - k) / np.hypot(s, t)))
            chances = [first, 1 - first]
        else:
            chances = best([law.pdf for law in laws], [law.cdf for law in laws], -5, 6)
        cases.append({"arms": arms, "chances": chances})
    return cases


golden = {
    "clustered": clustered(),
    "adjusted": adjusted(),
    "split": split(),
    "eventSplit": event_split(),
    "rare": rare(),
    "propensities": propensities(),
    "logGamma": [[x, float(special.gammaln(x))] for x in (0.001, 0.3, 0.5, 1, 2, 3.7, 9.99, 10, 55.5, 1e4, 1e9)],
}
Path(__file__).with_name("sequential.json").write_text(json.dumps(golden) + "\n")
