/** Measures that tell versions apart at a glance, the most telling first. */
export const TELLING = ['roc_auc', 'mase', 'ndcg_at_10', 'r2', 'accuracy', 'rmse', 'mae'] as const;
const NEXT = ['average_precision', 'recall_at_10', 'coverage', 'detection_rate', 'log_loss', 'brier', 'ece'] as const;
/** What the others are to be seen beside. */
const LAST = ['majority_rate'] as const;
const FIRST: readonly string[] = [...TELLING, ...NEXT];

/** Of `head.metric` the metric. */
const metricOf = (name: string) => name.slice(name.lastIndexOf('.') + 1);

function placeOf(name: string): number {
  const metric = metricOf(name);
  const at = FIRST.indexOf(metric);
  if (at >= 0) return at;
  return (LAST as readonly string[]).includes(metric) ? Infinity : FIRST.length;
}

/** The measures of a version or run, the most telling first: the database keeps them by the length of their names. */
export const orderMetrics = <Value>(metrics: Readonly<Record<string, Value>>): [string, Value][] =>
  Object.entries(metrics).toSorted(([a], [b]) => {
    const [first, second] = [placeOf(a), placeOf(b)];
    return first === second ? a.localeCompare(b) : first - second;
  });
