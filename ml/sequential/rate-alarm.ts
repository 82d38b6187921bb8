/** Answers until a false alarm, on average at least, while the rate stays below its bound. */
export const ROWS_A_FALSE_ALARM = 1e8;
const ALARM_FROM = Math.log(ROWS_A_FALSE_ALARM);
/** Evidence beyond the alarm is not piled up. */
const MOST_EVIDENCE = ALARM_FROM + 5;
/** Rows that the usual rate is taken over. */
const USUAL_ROWS = 20_000;
/** The rate of late is that of about as many rows. */
const RECENT_ROWS = 200;
/** Rows before the first verdict. */
const LEAST_ROWS = 100;
/** From this evidence on nothing is learnt: it may be the beginning of an alarm. */
const LEARN_BELOW = Math.log(1000);

const DEVIATIONS = 4;

/** What is called unusual of a rate. */
export interface RateRule {
  /** A rate below this is never unusual, in (0, 1). */
  floor: number;
  /** Times the usual odds that are bet on. */
  odds: readonly number[];
}

/** Plain numbers, so that it can be kept. */
export interface RateState {
  rows: number;
  /** The usual: discounted hits and rows. */
  hits: number;
  of: number;
  recent: number;
  /** Logarithm by bet. */
  evidence: number[];
  isAlarmed: boolean;
  /** Rows since the alarm began. */
  since: number;
}

export const startRate = ({ odds }: RateRule): RateState => ({
  rows: 0,
  hits: 0,
  of: 0,
  recent: 0,
  evidence: odds.map(() => 0),
  isAlarmed: false,
  since: 0,
});

/** What the usual rate is at most: four deviations above what was seen, since it is looked at after each row, and the floor. */
export function usualBound({ hits, of }: RateState, { floor }: RateRule): number {
  return Math.min(0.99, Math.max(floor, (hits + DEVIATIONS * Math.sqrt(hits + 1)) / (of + 1)));
}

/**
 * Takes one row and says whether its kind of event has become much more frequent than usual: for each odds a CUSUM of likelihood ratios, and
 * their mean an e-detector (Shin, Ramdas and Rinaldo 2023), so that no more than one row in 1e8 begins a false alarm while rows are independent.
 * The alarm ends when the recent rate is near the usual one, or when the new one has lasted for 20,000 rows and is the usual.
 */
export function stepRate(state: RateState, isHit: boolean, rule: RateRule): void {
  const bound = usualBound(state, rule);
  state.rows++;
  state.recent += (Number(isHit) - state.recent) / Math.min(state.rows, RECENT_ROWS);
  for (const [at, odds] of rule.odds.entries()) {
    const bet = (odds * bound) / (1 - bound + odds * bound);
    const ratio = isHit ? bet / bound : (1 - bet) / (1 - bound);
    state.evidence[at] = Math.min(MOST_EVIDENCE, Math.max(0, state.evidence[at]!) + Math.log(ratio));
  }
  const evidence = evidenceOf(state);
  if (state.isAlarmed) {
    state.since++;
    if (state.recent <= 1.5 * bound) endAlarm(state);
    else if (state.since >= USUAL_ROWS) {
      endAlarm(state);
      state.of = RECENT_ROWS;
      state.hits = state.recent * RECENT_ROWS;
    }
    return;
  }
  if (state.rows >= LEAST_ROWS && evidence >= ALARM_FROM) {
    state.isAlarmed = true;
    state.since = 0;
    return;
  }
  if (state.rows > LEAST_ROWS && evidence >= LEARN_BELOW) return;
  const keep = state.of >= USUAL_ROWS ? 1 - 1 / USUAL_ROWS : 1;
  state.hits = state.hits * keep + Number(isHit);
  state.of = state.of * keep + 1;
}

/** The logarithm of the mean of the bets. */
export function evidenceOf({ evidence }: RateState): number {
  const most = Math.max(...evidence);
  return most + Math.log(evidence.reduce((sum, one) => sum + Math.exp(one - most), 0) / evidence.length);
}

function endAlarm(state: RateState): void {
  state.isAlarmed = false;
  state.evidence = state.evidence.map(() => 0);
}
