import type { Interval } from '../../../ml/evaluate/bootstrap.js';
import { precisionRecallCurve } from '../../../ml/evaluate/precision-recall.js';
import { reliabilityBins } from '../../../ml/evaluate/reliability.js';
import { delongInterval, rocArea, wilsonInterval } from '../../../ml/evaluate/roc.js';
import { formatShare } from '../format-value.js';
import type { ReliabilityPlot, ReportEstimate, ReportPlot, ReportSection } from '../report-document.js';
import { rocPoints } from './roc-points.js';

/** Answers of one head on rows that no fit has seen. */
export interface ClassificationAnswers {
  /** Name of what is answered. */
  head: string;
  /** Class numbers. */
  labels: ArrayLike<number>;
  /** `[row * classes + class]` */
  probabilities: Float64Array;
  classes: readonly string[];
  /** Of two classes the one that is looked for; default the second. */
  positive?: number;
  /** Class numbers that were answered; default the likeliest class of each row. */
  answers?: ArrayLike<number>;
}

const LEVEL = 0.95;
/** More curves in one plot cannot be told apart. */
const MOST_CURVES = 6;
/** More classes do not fit into a table of mistakes; the rarest stand together. */
const MOST_CONFUSED = 20;
const BINS = 10;
const SCORE_BINS = 25;

/**
 * ROC, precision and recall, reliability, score distribution and mistakes.
 * @throws RangeError for probabilities that are not one a row and class
 */
export function classificationSection(input: ClassificationAnswers): ReportSection {
  const { head, labels, probabilities, classes } = input;
  const rows = labels.length;
  if (probabilities.length !== rows * classes.length)
    throw new RangeError(
      `${rows} rows of ${classes.length} classes need ${rows * classes.length} probabilities, got ${probabilities.length}`,
    );
  const counts = countsOf(labels, classes.length);
  const wanted = curveClasses(input, counts);
  const most = Math.max(0, ...counts);
  const left = classes.length > 2 && wanted.length < classes.length;
  return {
    title: `How well ${head} is answered`,
    text:
      rows === 0
        ? 'No row was held out, so nothing can be said.'
        : `On ${rows.toLocaleString('en-US')} held-out rows. Always answering “${classes[counts.indexOf(most)]}” would be right in ${formatShare(most / rows)} of them.` +
          (left ? ` Curves are shown of the ${wanted.length} most frequent of ${classes.length} classes.` : ''),
    plots: [
      ...curvePlots(input, wanted),
      reliabilityPlot(input),
      scorePlot(input, wanted),
      confusionPlot(input, counts),
    ],
    tables: [],
  };
}

function countsOf(labels: ArrayLike<number>, classes: number): number[] {
  const counts = Array.from({ length: classes }, () => 0);
  for (let row = 0; row < labels.length; row++) counts[labels[row]!]!++;
  return counts;
}

const positiveOf = ({ positive, classes }: ClassificationAnswers): number =>
  positive ?? Math.min(1, classes.length - 1);

/** Of two classes one curve says all; of more, one each of the most frequent. */
function curveClasses(input: ClassificationAnswers, counts: readonly number[]): number[] {
  if (input.classes.length <= 2) return [positiveOf(input)];
  return byFrequency(counts).slice(0, MOST_CURVES);
}

const byFrequency = (counts: readonly number[]): number[] =>
  [...counts.keys()].sort((a, b) => counts[b]! - counts[a]! || a - b);

function scoresOf({ probabilities, classes, labels }: ClassificationAnswers, wanted: number): Float64Array {
  return Float64Array.from({ length: labels.length }, (_, row) => probabilities[row * classes.length + wanted]!);
}

const isOf = ({ labels }: ClassificationAnswers, wanted: number): Uint8Array =>
  Uint8Array.from({ length: labels.length }, (_, row) => (labels[row] === wanted ? 1 : 0));

function curvePlots(input: ClassificationAnswers, wanted: readonly number[]): ReportPlot[] {
  const parts = wanted.map((one) => ({
    name: input.classes[one] ?? String(one),
    scores: scoresOf(input, one),
    truths: isOf(input, one),
  }));
  return [
    {
      kind: 'roc',
      title: 'ROC curve',
      curves: parts.map(({ name, scores, truths }) => ({
        name,
        area: areaOf(scores, truths),
        points: rocPoints(scores, truths),
      })),
    },
    {
      kind: 'precision_recall',
      title: 'Precision and recall',
      curves: parts.map(({ name, scores, truths }) => {
        const curve = precisionRecallCurve(scores, truths);
        return {
          name,
          average_precision: curve.averagePrecision,
          base_rate: curve.baseRate,
          points: curve.points.map(({ threshold, precision, recall }) => ({ threshold, precision, recall })),
        };
      }),
    },
  ];
}

function areaOf(scores: Float64Array, truths: Uint8Array): ReportEstimate {
  const { area, influence } = rocArea(scores, truths);
  if (Number.isNaN(area)) return { value: null, lower: null, upper: null };
  const positives = truths.reduce((sum, one) => sum + one, 0);
  return estimate(area, delongInterval(area, influence, Math.min(positives, truths.length - positives), LEVEL));
}

const estimate = (value: number, { lower, upper }: Interval): ReportEstimate => ({ value, lower, upper });

/** Of two classes the probability of the one looked for, of more that of the answered class. */
function reliabilityPlot(input: ClassificationAnswers): ReliabilityPlot {
  const { classes, labels } = input;
  const isBinary = classes.length <= 2;
  const likeliest = isBinary ? undefined : likeliestOf(input);
  const stated = likeliest
    ? Float64Array.from(likeliest, (one, row) => input.probabilities[row * classes.length + one]!)
    : scoresOf(input, positiveOf(input));
  const cameTrue = likeliest
    ? Uint8Array.from(likeliest, (one, row) => (labels[row] === one ? 1 : 0))
    : isOf(input, positiveOf(input));
  return {
    kind: 'reliability',
    title: 'Reliability of the probabilities',
    event: isBinary ? `probability of ${classes[positiveOf(input)]}` : 'probability of the answered class',
    bins: reliabilityBins(stated, cameTrue, BINS).map(({ lower, upper, rows, confidence, frequency }) => ({
      lower,
      upper,
      rows,
      stated: confidence,
      observed:
        frequency === null
          ? { value: null, lower: null, upper: null }
          : estimate(frequency, wilsonInterval(Math.round(frequency * rows), rows, LEVEL)),
    })),
  };
}

function likeliestOf({ probabilities, classes, labels }: ClassificationAnswers): Int32Array {
  return Int32Array.from({ length: labels.length }, (_, row) => {
    let best = 0;
    for (let one = 1; one < classes.length; one++)
      if (probabilities[row * classes.length + one]! > probabilities[row * classes.length + best]!) best = one;
    return best;
  });
}

/** What was stated for rows of each true class: of the one looked for, or of the row's own class where there are many. */
function scorePlot(input: ClassificationAnswers, wanted: readonly number[]): ReportPlot {
  const { classes, labels } = input;
  const isBinary = classes.length <= 2;
  const edges = Array.from({ length: SCORE_BINS + 1 }, (_, edge) => edge / SCORE_BINS);
  const groups = (isBinary ? [...classes.keys()] : wanted.slice(0, 4)).map((truth) => {
    const counts = Array.from({ length: SCORE_BINS }, () => 0);
    const scores = scoresOf(input, isBinary ? positiveOf(input) : truth);
    for (let row = 0; row < labels.length; row++)
      if (labels[row] === truth) counts[Math.min(SCORE_BINS - 1, Math.floor(scores[row]! * SCORE_BINS))]!++;
    return { name: `truly ${classes[truth]}`, counts };
  });
  const measure = isBinary ? `probability of ${classes[positiveOf(input)]}` : 'probability of the true class';
  return { kind: 'histogram', title: 'Probabilities by true class', measure, edges, groups };
}

function confusionPlot(input: ClassificationAnswers, counts: readonly number[]): ReportPlot {
  const { classes, labels } = input;
  const answers = input.answers ?? likeliestOf(input);
  const shown = classes.length > MOST_CONFUSED ? byFrequency(counts).slice(0, MOST_CONFUSED - 1) : [...classes.keys()];
  const names = shown.map((one) => classes[one]!);
  if (shown.length < classes.length) names.push(`${classes.length - shown.length} others`);
  const placeOf = new Map(shown.map((one, place) => [one, place]));
  const table = names.map(() => names.map(() => 0));
  for (let row = 0; row < labels.length; row++) {
    const truth = placeOf.get(labels[row]!) ?? names.length - 1;
    table[truth]![placeOf.get(answers[row]!) ?? names.length - 1]!++;
  }
  return { kind: 'confusion', title: 'What is taken for what', classes: names, counts: table };
}
