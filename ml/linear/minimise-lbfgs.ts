/** A function with its gradient: returns the value and writes the gradient. */
export type Differentiable = (at: Float64Array, gradient: Float64Array) => number;

/** Pairs of steps and gradient changes that shape the next direction. */
const MEMORY = 10;
/** Sufficient decrease and curvature of the Wolfe conditions, as Nocedal and Wright recommend for quasi-Newton steps. */
const LEAST_DECREASE = 1e-4;
const MOST_CURVATURE = 0.9;

/**
 * Minimises a smooth convex function by L-BFGS with a Wolfe line search by bisection (Nocedal and Wright, "Numerical Optimization",
 * algorithms 7.4 and 7.5). Stops where no gradient entry exceeds `tolerance` or rounding leaves no decrease.
 * @param start is overwritten with the minimum
 */
export function minimiseLbfgs(f: Differentiable, start: Float64Array, tolerance: number, mostIterations = 500): void {
  const n = start.length;
  let gradient: Float64Array = new Float64Array(n);
  let value = f(start, gradient);
  const steps: Float64Array[] = [];
  const changes: Float64Array[] = [];
  for (let iteration = 0; iteration < mostIterations; iteration++) {
    if (largest(gradient) <= tolerance) return;
    const direction = findDirection(gradient, steps, changes);
    const firstScale = steps.length === 0 ? Math.min(1, 1 / norm(gradient)) : 1;
    const found = searchLine(f, start, value, gradient, direction, firstScale);
    if (!found) {
      // A stale memory can spoil the direction near the minimum: once more from the plain gradient, then give up.
      if (steps.length === 0) return;
      steps.length = 0;
      changes.length = 0;
      continue;
    }
    const step = found.at.map((next, i) => next - start[i]!);
    const change = found.gradient.map((next, i) => next - gradient[i]!);
    if (dot(step, change) > 1e-300) {
      steps.push(step);
      changes.push(change);
      if (steps.length > MEMORY) {
        steps.shift();
        changes.shift();
      }
    }
    start.set(found.at);
    value = found.value;
    gradient = found.gradient;
  }
}

function findDirection(gradient: Float64Array, steps: Float64Array[], changes: Float64Array[]): Float64Array {
  const direction = gradient.map((slope) => -slope);
  const alphas = new Float64Array(steps.length);
  for (let k = steps.length - 1; k >= 0; k--) {
    const alpha = dot(steps[k]!, direction) / dot(steps[k]!, changes[k]!);
    alphas[k] = alpha;
    add(direction, -alpha, changes[k]!);
  }
  if (steps.length > 0) {
    const last = steps.length - 1;
    const scale = dot(steps[last]!, changes[last]!) / dot(changes[last]!, changes[last]!);
    for (let i = 0; i < direction.length; i++) direction[i]! *= scale;
  }
  for (let k = 0; k < steps.length; k++) {
    const beta = dot(changes[k]!, direction) / dot(steps[k]!, changes[k]!);
    add(direction, alphas[k]! - beta, steps[k]!);
  }
  return direction;
}

interface LinePoint {
  at: Float64Array;
  value: number;
  gradient: Float64Array;
}

function searchLine(
  f: Differentiable,
  from: Float64Array,
  value: number,
  gradient: Float64Array,
  direction: Float64Array,
  firstScale: number,
): LinePoint | undefined {
  const slope = dot(gradient, direction);
  if (!(slope < 0)) return undefined;
  let low = 0;
  let high = Infinity;
  let scale = firstScale;
  for (let tries = 0; tries < 40; tries++) {
    const at = from.map((part, i) => part + scale * direction[i]!);
    const nextGradient = new Float64Array(from.length);
    const next = f(at, nextGradient);
    if (!(next <= value + LEAST_DECREASE * scale * slope)) high = scale;
    else if (dot(nextGradient, direction) < MOST_CURVATURE * slope) low = scale;
    else return { at, value: next, gradient: nextGradient };
    scale = high === Infinity ? 2 * scale : (low + high) / 2;
  }
  return undefined;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function add(to: Float64Array, scale: number, what: Float64Array): void {
  for (let i = 0; i < to.length; i++) to[i]! += scale * what[i]!;
}

function norm(a: Float64Array): number {
  return Math.sqrt(dot(a, a));
}

function largest(a: Float64Array): number {
  let most = 0;
  for (const part of a) if (Math.abs(part) > most) most = Math.abs(part);
  return most;
}
