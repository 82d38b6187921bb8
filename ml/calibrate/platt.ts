/** p' = 1 / (1 + exp(-(slope · logit(p) + intercept))). */
export interface PlattCurve {
  slope: number;
  intercept: number;
}

/** Keeps logits finite; a forest of 100 trees cannot mean anything finer. */
export const LEAST_PROBABILITY = 1e-6;

/** The log odds of a probability, finite also for 0 and 1. */
export function logit(p: number): number {
  const inside = Math.min(1 - LEAST_PROBABILITY, Math.max(LEAST_PROBABILITY, p));
  return Math.log(inside / (1 - inside));
}

/**
 * Logistic regression of the outcome on the logit, with Platt's (1999) softened targets, by Newton's method with halved steps
 * as in Lin, Lin and Weng (2007).
 * @param probabilities in [0, 1]
 * @param outcomes 0 or 1
 */
export function fitPlatt(probabilities: Float64Array, outcomes: Uint8Array): PlattCurve {
  const x = probabilities.map(logit);
  const positives = outcomes.reduce((sum, outcome) => sum + outcome, 0);
  const high = (positives + 1) / (positives + 2);
  const low = 1 / (outcomes.length - positives + 2);
  let slope = 1;
  let intercept = 0;
  let loss = plattLoss(x, outcomes, high, low, slope, intercept);
  for (let iteration = 0; iteration < 50; iteration++) {
    const [stepSlope, stepIntercept, size] = newtonStep(x, outcomes, high, low, slope, intercept);
    if (size < 1e-9 * x.length) break;
    let scale = 1;
    let next = loss;
    for (; scale > 1e-8; scale /= 2) {
      next = plattLoss(x, outcomes, high, low, slope - scale * stepSlope, intercept - scale * stepIntercept);
      if (next <= loss) break;
    }
    if (!(next <= loss)) break;
    slope -= scale * stepSlope;
    intercept -= scale * stepIntercept;
    const isDone = loss - next < 1e-12 * Math.abs(loss);
    loss = next;
    if (isDone) break;
  }
  return { slope, intercept };
}

function plattLoss(
  x: Float64Array,
  outcomes: Uint8Array,
  high: number,
  low: number,
  slope: number,
  intercept: number,
): number {
  let loss = 0;
  for (let i = 0; i < x.length; i++) {
    const z = slope * x[i]! + intercept;
    const target = outcomes[i] === 1 ? high : low;
    loss += Math.max(z, 0) - target * z + Math.log1p(Math.exp(-Math.abs(z)));
  }
  return loss;
}

function newtonStep(
  x: Float64Array,
  outcomes: Uint8Array,
  high: number,
  low: number,
  slope: number,
  intercept: number,
): [number, number, number] {
  let gradientSlope = 0;
  let gradientIntercept = 0;
  // A small ridge keeps the system solvable where all inputs are equal.
  let hSlope = 1e-9;
  let hBoth = 0;
  let hIntercept = 1e-9;
  for (let i = 0; i < x.length; i++) {
    const p = applyPlattToLogit(slope, intercept, x[i]!);
    const error = p - (outcomes[i] === 1 ? high : low);
    const weight = p * (1 - p);
    gradientSlope += error * x[i]!;
    gradientIntercept += error;
    hSlope += weight * x[i]! * x[i]!;
    hBoth += weight * x[i]!;
    hIntercept += weight;
  }
  const determinant = hSlope * hIntercept - hBoth * hBoth;
  const size = Math.abs(gradientSlope) + Math.abs(gradientIntercept);
  return [
    (hIntercept * gradientSlope - hBoth * gradientIntercept) / determinant,
    (hSlope * gradientIntercept - hBoth * gradientSlope) / determinant,
    size,
  ];
}

function applyPlattToLogit(slope: number, intercept: number, x: number): number {
  return 1 / (1 + Math.exp(-(slope * x + intercept)));
}

/** The calibrated probability. */
export function applyPlatt(curve: PlattCurve, probability: number): number {
  return applyPlattToLogit(curve.slope, curve.intercept, logit(probability));
}
