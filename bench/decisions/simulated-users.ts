import type { ArmSums } from '../../core/decisions/rollout-evidence.js';
import type { Prng } from '../../ml/random/prng.js';

/** A crowd that sends requests in windows: who comes back, how unequal their use is, and how alike the requests of one user end. */
export interface Crowd {
  users: number;
  /** Visits in a window over the users. */
  activeShare: number;
  /** Mean requests of a user's visit beyond the first one. */
  meanRequests: number;
  /** Sigma of the log-normal spread of that mean over users: 0 is a crowd of equals, 1.5 one where 1 % sends a fifth. */
  requestSpread: number;
  /** A user's own rate of events is beta distributed with this concentration: 1e9 for independent requests, 0.1 for all or nothing. */
  sameness: number;
}

/** What is measured of each request. */
export interface SimulatedMeasure {
  measure: string;
  kind: 'rate' | 'mean';
  /** Of a rate the chance of an event; of a mean the scale of a log-normal value (sigma 1) that 1 request in 10 has. */
  baseline: number;
  candidate: number;
  margin?: number;
}

/** The requests of one arm of a rollout, summed up by user as they come. */
export class SimulatedArm {
  readonly sums: ArmSums[];
  private readonly requests: Float64Array;
  private readonly totals: Float64Array[];
  private readonly own: Float64Array[];
  private readonly busyness: Float64Array;

  constructor(
    private readonly crowd: Crowd,
    private readonly measures: readonly SimulatedMeasure[],
    private readonly arm: 'candidate' | 'baseline',
    private readonly prng: Prng,
  ) {
    const most = crowd.users;
    this.sums = measures.map(noSums);
    this.requests = new Float64Array(most);
    this.totals = measures.map(() => new Float64Array(most));
    this.own = measures.map(() => new Float64Array(most).fill(NaN));
    this.busyness = new Float64Array(most).fill(NaN);
  }

  /** Entities that have been here. */
  get entities(): number {
    return this.sums[0]!.entities;
  }

  /** One window in which the share of the crowd that stands in percent is answered here. */
  addWindow(share: number): void {
    const assigned = Math.round((this.crowd.users * share) / 100);
    const visits = Math.round(assigned * this.crowd.activeShare);
    for (let visit = 0; visit < visits; visit++) this.addRandomVisit(assigned);
  }

  /** A user out of the first `assigned` ones comes and sends some requests. */
  addRandomVisit(assigned: number): void {
    const user = this.prng.nextInt(assigned);
    this.addVisit(user, this.drawRequests(user));
  }

  /** One user sends some requests. */
  private addVisit(user: number, count: number): void {
    const before = this.requests[user]!;
    const after = before + count;
    this.requests[user] = after;
    this.measures.forEach((measure, index) => {
      const sums = this.sums[index]!;
      const had = this.totals[index]![user]!;
      const has = had + this.drawTotal(measure, index, user, count);
      this.totals[index]![user] = has;
      if (before === 0) sums.entities++;
      if (had === 0 && has > 0) sums.entitiesWithEvents++;
      sums.requests += count;
      sums.total += has - had;
      sums.requestsSquared += after * after - before * before;
      sums.totalSquared += has * has - had * had;
      sums.crossed += after * has - before * had;
    });
  }

  private drawRequests(user: number): number {
    const { meanRequests, requestSpread } = this.crowd;
    let busy = this.busyness[user]!;
    if (Number.isNaN(busy)) {
      busy = meanRequests * Math.exp(requestSpread * this.prng.nextGaussian() - requestSpread ** 2 / 2);
      this.busyness[user] = busy;
    }
    return 1 + Math.floor(-busy * Math.log(1 - this.prng.next()));
  }

  private drawTotal({ kind, [this.arm]: level }: SimulatedMeasure, index: number, user: number, count: number): number {
    const { prng } = this;
    if (kind === 'mean') {
      let total = 0;
      for (let i = 0; i < count; i++) if (prng.next() < 0.1) total += level * Math.exp(prng.nextGaussian());
      return total;
    }
    let rate = this.own[index]![user]!;
    if (Number.isNaN(rate)) {
      const { sameness } = this.crowd;
      rate = sameness >= 1e9 ? level : drawBeta(level * sameness, (1 - level) * sameness, prng);
      this.own[index]![user] = rate;
    }
    return drawBinomial(count, rate, prng);
  }
}

export function noSums(): ArmSums {
  return {
    entities: 0,
    requests: 0,
    total: 0,
    requestsSquared: 0,
    totalSquared: 0,
    crossed: 0,
    entitiesWithEvents: 0,
  };
}

/** Successes of `count` trials, by skipping from one to the next. */
export function drawBinomial(count: number, rate: number, prng: Prng): number {
  if (rate <= 0) return 0;
  if (rate >= 1) return count;
  const step = Math.log1p(-rate);
  let events = 0;
  for (let at = Math.floor(Math.log(1 - prng.next()) / step); at < count; events++)
    at += 1 + Math.floor(Math.log(1 - prng.next()) / step);
  return events;
}

function drawBeta(a: number, b: number, prng: Prng): number {
  // In logarithms, since a gamma number of a small shape is often too small for a double.
  const x = logGammaNumber(a, prng);
  const y = logGammaNumber(b, prng);
  return 1 / (1 + Math.exp(y - x));
}

/** The logarithm of a gamma number (Marsaglia and Tsang 2000). */
function logGammaNumber(shape: number, prng: Prng): number {
  if (shape < 1) return logGammaNumber(shape + 1, prng) + Math.log(1 - prng.next()) / shape;
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const z = prng.nextGaussian();
    const v = (1 + c * z) ** 3;
    if (v > 0 && Math.log(1 - prng.next()) < 0.5 * z * z + d - d * v + d * Math.log(v)) return Math.log(d * v);
  }
}

/** One more entity that sent one request. */
export function addEntity(sums: ArmSums, value: number): void {
  sums.entities++;
  sums.requests++;
  sums.requestsSquared++;
  sums.total += value;
  sums.crossed += value;
  sums.totalSquared += value * value;
  if (value > 0) sums.entitiesWithEvents++;
}
