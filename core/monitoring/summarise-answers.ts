import { histogramQuantile, type LogHistogram } from '../../ml/evaluate/log-histogram.js';
import { meanOf, momentsOf, numberOf, tallyOf, type Tally } from './tally.js';

/** What was answered, for a caller. */
export interface AnswerSummary {
  requests: number;
  /** Answers that the version of the arm could not give. */
  errors: number;
  error_share: number | null;
  cached: number;
  cached_share: number | null;
  /** Milliseconds that half, 95 % and 99 % of the answers did not exceed, within 2.5 %; null without answers. */
  latency_ms: { p50: number | null; p95: number | null; p99: number | null };
  heads: Record<string, HeadSummary>;
}

export interface HeadSummary {
  answers: number;
  /** Of a head that answers with a number: a probability, a value, or the mean of a forecast. */
  mean_score: number | null;
  /** Of a head that answers with a class or a list of items: the share of each, the most frequent first. */
  class_shares: Record<string, number>;
}

const MOST_SHARES = 20;

export function summariseAnswers(tally: Tally): AnswerSummary {
  const requests = numberOf(tally, 'requests');
  const errors = numberOf(tally, 'errors');
  const cached = numberOf(tally, 'cached');
  const latency = tallyOf(tally, 'latency') as LogHistogram;
  const quantile = (share: number) => {
    const us = histogramQuantile(latency, share);
    return us === undefined ? null : us / 1000;
  };
  return {
    requests,
    errors,
    error_share: requests > 0 ? errors / requests : null,
    cached,
    cached_share: requests > 0 ? cached / requests : null,
    latency_ms: { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) },
    heads: Object.fromEntries(
      Object.keys(tallyOf(tally, 'heads'))
        .sort()
        .map((name) => [name, summariseHead(tallyOf(tallyOf(tally, 'heads'), name))]),
    ),
  };
}

function summariseHead(head: Tally): HeadSummary {
  const classes = Object.entries(tallyOf(head, 'classes') as Record<string, number>);
  const total = classes.reduce((sum, [, count]) => sum + count, 0);
  return {
    answers: numberOf(head, 'rows'),
    mean_score: meanOf(momentsOf(head, 'score'))?.mean ?? null,
    class_shares: Object.fromEntries(
      classes
        .toSorted(([a, first], [b, second]) => second - first || (a < b ? -1 : 1))
        .slice(0, MOST_SHARES)
        .map(([name, count]) => [name, count / total]),
    ),
  };
}
