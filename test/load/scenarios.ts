/** How many requests arrive when. */
export interface Scenario {
  name: string;
  /** What it is for, as the report says it. */
  purpose: string;
  seconds: number;
  /** Requests a second, so many seconds after the beginning. */
  ratePerSecond: (second: number) => number;
  /** All kinds that are served, instead of the first alone, while a model is trained. */
  isMixed: boolean;
  /** Memory must not grow in it. */
  isSteady: boolean;
}

/**
 * The four scenarios.
 * @param rate requests a second that the service should carry with ease
 * @param seconds of each; the soak takes three times as long
 */
export function scenariosFor(rate: number, seconds: number): Scenario[] {
  return [
    {
      name: 'ramp',
      purpose: 'The rate grows from nothing to twice the usual one.',
      seconds,
      ratePerSecond: (second) => (2 * rate * second) / seconds,
      isMixed: false,
      isSteady: false,
    },
    {
      name: 'soak',
      purpose: 'The usual rate for a long time: memory and latency should stay as they are.',
      seconds: 3 * seconds,
      ratePerSecond: () => rate,
      isMixed: false,
      isSteady: true,
    },
    {
      name: 'spike',
      purpose: 'In the middle fifth five times the usual rate comes at once, and goes again.',
      seconds,
      ratePerSecond: (second) => (Math.abs(second / seconds - 0.5) < 0.1 ? 5 * rate : rate),
      isMixed: false,
      isSteady: false,
    },
    {
      name: 'mixed',
      purpose: 'All kinds of models that are served in turn, while one is being trained.',
      seconds,
      ratePerSecond: () => rate,
      isMixed: true,
      isSteady: false,
    },
  ];
}
