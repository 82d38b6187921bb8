import { takeRows } from '../../../ml/matrix.js';
import { decodeBoosting } from '../../../ml/ensemble/boosting-format.js';
import { roundCount, truncateBoosting } from '../../../ml/ensemble/gradient-boosting.js';
import { learningCurve } from '../../../ml/evaluate/learning-curve.js';
import type { MeasuredProgress } from '../../reports/sections/learning-curve-section.js';
import { answerRows, fitHead, type FittedHead, type HeadVariant } from './fit-head.js';
import { headInput } from './fit-model.js';
import { boostingHead } from './head-model.js';
import { variantsOf } from './plan.js';
import { lossName, rowLosses, thinRows, type JudgedHead, type MeasuredTable } from './report-measures.js';

/** Rows that are looked at for one point of a curve. */
const MOST_ROWS = 2000;
/** Rows that all fits of a curve may have together: they must stay cheap beside the real fit. */
const FITTED_ROWS = 1500;
/** A blend is fitted by every algorithm, and boosting takes a model a fold. */
const FITTED_ROWS_OF_BLEND = 450;
const LEAST_FITTED_ROWS = 40;
const POINTS = 16;

/**
 * How the head was learned: by rounds where it is boosted, as its first rounds are models themselves; else by rows, by fitting it
 * anew on two small parts.
 * @returns undefined where the rows are too few to take any away, and of networks
 */
export function measureProgress(head: JudgedHead, measured: MeasuredTable): MeasuredProgress | undefined {
  const { algorithm } = head.stored;
  if (algorithm === 'gradient_boosting') return measureRounds(head, measured);
  // A network learns all heads together, and to fit it anew takes as long as the first time.
  if (algorithm === 'neural_network') return undefined;
  const variants = (variantsOf(measured.plan) as HeadVariant[]).filter(
    (variant) => algorithm === 'blend' || variant.algorithm === algorithm,
  );
  return measureLearningCurve(head, measured, variants);
}

function measureRounds(head: JudgedHead, measured: MeasuredTable): MeasuredProgress | undefined {
  const boosting = decodeBoosting(head.bytes);
  const rounds = roundCount(boosting);
  const heldOut = thinRows(head.rows, MOST_ROWS);
  const training = thinRows(trainingInput(head, measured).rows, MOST_ROWS);
  if (heldOut.length === 0 || training.length === 0) return undefined;
  // Close together at first, where most is learned.
  const counts = Array.from({ length: POINTS }, (_, at) => Math.round(rounds ** ((at + 1) / POINTS)));
  const parts = [heldOut, training].map((rows) => ({ rows, x: takeRows(measured.x, rows) }));
  return {
    measure: lossName(head),
    by: 'rounds',
    points: [...new Set(counts)].map((count) => {
      const model = boostingHead(truncateBoosting(boosting, count));
      // Without calibration, which was measured for the whole model.
      const [validation, fitted] = parts.map(({ rows, x }) =>
        mean(rowLosses(head.target, rows, answerRows({ transform: head.stored.transform, model }, x))),
      );
      return { at: count, validation: validation!, training: fitted! };
    }),
  };
}

function measureLearningCurve(
  head: JudgedHead,
  measured: MeasuredTable,
  variants: readonly HeadVariant[],
): MeasuredProgress | undefined {
  const { plan, table, x } = measured;
  const input = trainingInput(head, measured);
  const affordable = (variants.length > 1 ? FITTED_ROWS_OF_BLEND : FITTED_ROWS) / table.targets.length;
  const largest = Math.min(Math.floor(input.rows.length / 2), Math.floor((affordable * 2) / 3));
  const sizes = [Math.floor(largest / 2), largest].filter((rows) => rows >= LEAST_FITTED_ROWS);
  if (sizes.length === 0 || head.rows.length < 2) return undefined;
  const heldOut = takeRows(x, head.rows);
  const { points, isStillImproving } = learningCurve({
    rows: input.rows,
    labels: head.stored.task === 'regression' ? undefined : head.target.y,
    seed: plan.seed,
    shares: [...sizes.map((rows) => rows / input.rows.length), 1],
    fit(part) {
      const isWhole = part.length === input.rows.length;
      const fitted: Pick<FittedHead, 'model' | 'transform' | 'calibration'> = isWhole
        ? { ...head.stored, model: head.model }
        : fitHead({ ...input, rows: part, variants, onProgress: () => {} });
      const own = thinRows(part, MOST_ROWS);
      return {
        heldOutLosses: rowLosses(
          head.target,
          head.rows,
          isWhole && !head.sequence ? head.answers : answerRows(fitted, heldOut),
        ),
        trainingLoss: mean(rowLosses(head.target, own, answerRows(fitted, takeRows(x, own)))),
      };
    },
  });
  return {
    measure: lossName(head),
    by: 'rows',
    points: points.map(({ rows, trainingLoss, heldOutLoss }) => ({
      at: rows,
      training: trainingLoss,
      validation: heldOutLoss,
    })),
    isStillImproving,
  };
}

const trainingInput = (head: JudgedHead, { plan, table, encoder, x }: MeasuredTable) =>
  headInput(plan, table, encoder, x, head.target, (row) => table.isHeldOut[row] === 0);

const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value / values.length, 0);
