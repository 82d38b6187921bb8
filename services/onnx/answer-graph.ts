import type { Calibration, CalibrationCurve } from '../../ml/calibrate/calibration.js';
import type { IsotonicCurve } from '../../ml/calibrate/isotonic.js';
import { LEAST_PROBABILITY } from '../../ml/calibrate/platt.js';
import type { StoredHead } from '../kinds/tabular/fit-model.js';
import type { GraphBuilder, Name } from './graph-builder.js';

/** The outputs of a head: what its model says, made what the service answers. */
export function addAnswer(graph: GraphBuilder, head: StoredHead, raw: Name): void {
  if (head.task === 'regression') return addValue(graph, head, raw);
  const probabilities = head.calibration ? addCalibration(graph, head.calibration, raw) : raw;
  const { decision } = head;
  const code = decision
    ? graph.where(
        graph.node('GreaterOrEqual', [
          graph.columns(probabilities, [decision.positive]),
          graph.number(decision.threshold),
        ]),
        graph.ints([decision.positive], []),
        graph.ints([1 - decision.positive], []),
      )
    : graph.node('ArgMax', [probabilities], { axis: 1, keepdims: 1 });
  const label = graph.ml('LabelEncoder', [code], {
    keys_int64s: head.classes.map((_, at) => at),
    values_strings: head.classes.map(String),
    default_string: '',
  });
  graph.output(head.name, label, 'string', 1);
  graph.output(`${head.name}.probabilities`, probabilities, 'double', head.classes.length);
}

function addValue(graph: GraphBuilder, { name, transform, interval }: StoredHead, raw: Name): void {
  const isLog = transform === 'log';
  const finished = (value: Name) => (isLog ? graph.exp(value) : value);
  graph.output(name, finished(raw), 'double', 1);
  if (!interval) return;
  const ends = graph.add(raw, graph.doubles([-interval.halfWidth, interval.halfWidth], [1, 2]));
  graph.output(`${name}.interval`, finished(ends), 'double', 2);
}

/** As `applyCalibration`: the second of two classes, or each against the rest and then to a sum of 1. */
function addCalibration(graph: GraphBuilder, { classes, curves }: Calibration, raw: Name): Name {
  if (curves.every(({ method }) => method === 'identity')) return raw;
  if (classes === 2) {
    const second = addCurve(graph, curves[0]!, graph.columns(raw, [1]));
    return graph.concat([graph.subtract(graph.number(1), second), second]);
  }
  const corrected = graph.concat(curves.map((curve, c) => addCurve(graph, curve, graph.columns(raw, [c]))));
  const sum = graph.node('ReduceSum', [corrected, graph.ints([1])], { keepdims: 1 });
  const isPositive = graph.node('Greater', [sum, graph.number(0)]);
  const divided = graph.divide(corrected, graph.where(isPositive, sum, graph.number(1)));
  return graph.where(isPositive, divided, graph.number(1 / classes));
}

function addCurve(graph: GraphBuilder, curve: CalibrationCurve, p: Name): Name {
  if (curve.method === 'identity') return p;
  if (curve.method === 'isotonic') return addIsotonic(graph, curve, p);
  const inside = graph.clip(p, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY);
  const logit = graph.node('Log', [graph.divide(inside, graph.subtract(graph.number(1), inside))]);
  return graph.sigmoid(graph.add(graph.multiply(logit, graph.number(curve.slope)), graph.number(curve.intercept)));
}

/** The first height, and for each stretch its slope times how far into it the input lies. */
function addIsotonic(graph: GraphBuilder, { x, y }: IsotonicCurve, p: Name): Name {
  const stretches = x.slice(1).map((end, at) => ({ start: x[at]!, length: end - x[at]!, rise: y[at + 1]! - y[at]! }));
  const rising = stretches.filter(({ rise }) => rise > 0);
  const first = graph.add(graph.multiply(p, graph.number(0)), graph.number(y[0]!));
  if (rising.length === 0) return first;
  const row = (values: number[]) => graph.doubles(values, [1, values.length]);
  const into = graph.divide(
    graph.subtract(p, row(rising.map(({ start }) => start))),
    row(rising.map(({ length }) => length)),
  );
  const climbed = graph.multiply(graph.clip(into, 0, 1), row(rising.map(({ rise }) => rise)));
  return graph.add(first, graph.node('ReduceSum', [climbed, graph.ints([1])], { keepdims: 1 }));
}
