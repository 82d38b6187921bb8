/**
 * Minimises a function of a few variables without derivatives (Nelder and Mead 1965, with the usual factors 1, 2, ½, ½).
 * @param f may return Infinity outside its range
 * @param start where to look first
 * @param steps size of the first simplex along each variable
 * @returns the best point found
 */
export function minimiseSimplex(
  f: (at: Float64Array) => number,
  start: ArrayLike<number>,
  steps: ArrayLike<number>,
  { mostEvaluations = 300, tolerance = 1e-8 } = {},
): Float64Array {
  const n = start.length;
  let evaluations = 0;
  const pointAt = (at: Float64Array): { at: Float64Array; value: number } => {
    evaluations++;
    const value = f(at);
    return { at, value: Number.isNaN(value) ? Infinity : value };
  };
  const corners = [pointAt(Float64Array.from(start))];
  for (let i = 0; i < n; i++) {
    const corner = Float64Array.from(start);
    corner[i]! += steps[i]!;
    corners.push(pointAt(corner));
  }
  const byValue = (a: { value: number }, b: { value: number }): number => a.value - b.value;
  for (;;) {
    if (evaluations >= mostEvaluations) break;
    corners.sort(byValue);
    const [best, worst] = [corners[0]!, corners[n]!];
    if (worst.value - best.value <= tolerance * (Math.abs(best.value) + tolerance)) break;
    const centre = new Float64Array(n);
    for (let k = 0; k < n; k++) corners[k]!.at.forEach((x, i) => (centre[i]! += x / n));
    const along = (factor: number): { at: Float64Array; value: number } =>
      pointAt(centre.map((x, i) => x + factor * (worst.at[i]! - x)));
    const reflected = along(-1);
    if (reflected.value < best.value) {
      const expanded = along(-2);
      corners[n] = expanded.value < reflected.value ? expanded : reflected;
    } else if (reflected.value < corners[n - 1]!.value) corners[n] = reflected;
    else {
      const contracted = along(reflected.value < worst.value ? -0.5 : 0.5);
      if (contracted.value < Math.min(worst.value, reflected.value)) corners[n] = contracted;
      else
        for (let k = 1; k <= n; k++)
          corners[k] = pointAt(corners[k]!.at.map((x, i) => best.at[i]! + (x - best.at[i]!) / 2));
    }
  }
  return corners.sort(byValue)[0]!.at;
}
