/** Whether `a` is at least as good as `b` everywhere and better somewhere; lower is better. */
export function dominates(a: readonly number[], b: readonly number[]): boolean {
  let isBetter = false;
  for (let k = 0; k < a.length; k++) {
    if (a[k]! > b[k]!) return false;
    if (a[k]! < b[k]!) isBetter = true;
  }
  return isBetter;
}

/**
 * Sorts points into fronts (N. Srinivas and K. Deb 1994): the first is what nothing dominates, the next what then remains.
 * @param points finite losses, one list of equal length a point
 * @returns positions in `points`, rising within a front
 */
export function paretoFronts(points: readonly (readonly number[])[]): number[][] {
  const fronts: number[][] = [];
  let left = points.map((_, at) => at);
  while (left.length > 0) {
    const front = left.filter((at) => !left.some((other) => dominates(points[other]!, points[at]!)));
    fronts.push(front);
    const taken = new Set(front);
    left = left.filter((at) => !taken.has(at));
  }
  return fronts;
}

/**
 * The first front alone, quickly: in the order of their losses, a point can only be dominated by one before it.
 * @returns positions in `points`, by the first loss, then the next ones, then the position
 */
export function firstFront(points: readonly (readonly number[])[]): number[] {
  const front: number[] = [];
  for (const at of byFirstLoss(points))
    if (!front.some((other) => dominates(points[other]!, points[at]!))) front.push(at);
  return front;
}

/** Positions by the first loss, of equal ones by the next, and then as they stand. */
export function byFirstLoss(points: readonly (readonly number[])[]): number[] {
  const compare = (a: readonly number[], b: readonly number[]) => {
    const differs = a.findIndex((loss, k) => loss !== b[k]);
    return differs < 0 ? 0 : a[differs]! - b[differs]!;
  };
  return points.map((_, at) => at).sort((a, b) => compare(points[a]!, points[b]!) || a - b);
}

/**
 * How much room the neighbours of each point of a front leave it (K. Deb et al., "NSGA-II", 2002): the sum over the objectives of the gap
 * between its neighbours, as a share of the front's range; Infinity at the ends.
 */
export function crowdingDistances(front: readonly (readonly number[])[]): Float64Array {
  const distances = new Float64Array(front.length);
  const objectives = front[0]?.length ?? 0;
  for (let k = 0; k < objectives; k++) {
    const order = front.map((_, at) => at).sort((a, b) => front[a]![k]! - front[b]![k]! || a - b);
    const range = front[order.at(-1)!]![k]! - front[order[0]!]![k]!;
    distances[order[0]!] = Infinity;
    distances[order.at(-1)!] = Infinity;
    if (range === 0) continue;
    for (let i = 1; i + 1 < order.length; i++)
      distances[order[i]!]! += (front[order[i + 1]!]![k]! - front[order[i - 1]!]![k]!) / range;
  }
  return distances;
}

/**
 * The volume that points dominate up to a reference, exactly: the last objective is cut into slices between the points, and each slice is
 * a volume of one dimension less. Grows as points^(objectives - 1): meant for two to four objectives.
 * @param points losses; those not below the reference everywhere add nothing
 * @throws RangeError where a point has another number of objectives than the reference
 */
export function hypervolume(points: readonly (readonly number[])[], reference: readonly number[]): number {
  const wrong = points.find((point) => point.length !== reference.length);
  if (wrong) throw new RangeError(`a point has ${wrong.length} objectives, but the reference ${reference.length}`);
  return slicedVolume(
    points.filter((point) => point.every((loss, k) => loss < reference[k]!)),
    reference,
    reference.length,
  );
}

function slicedVolume(
  points: readonly (readonly number[])[],
  reference: readonly number[],
  objectives: number,
): number {
  if (points.length === 0) return 0;
  const last = objectives - 1;
  if (last === 0) return reference[0]! - Math.min(...points.map((point) => point[0]!));
  const order = [...points].sort((a, b) => a[last]! - b[last]!);
  let volume = 0;
  for (let i = 0; i < order.length; i++) {
    const height = (order[i + 1]?.[last] ?? reference[last]!) - order[i]![last]!;
    if (height > 0) volume += height * slicedVolume(order.slice(0, i + 1), reference, last);
  }
  return volume;
}
