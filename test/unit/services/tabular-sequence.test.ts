import { describe, expect, it } from 'vitest';
import { PREDICT_REQUESTS, toPredictInput } from '../../../core/kinds/requests.js';
import { encodeTable, fitTableEncoder } from '../../../ml/preprocess/table-encoder.js';
import { createPrng } from '../../../ml/random/prng.js';
import type { BundleManifest } from '../../../services/artifacts/model-bundle.js';
import { fitHead } from '../../../services/kinds/tabular/fit-head.js';
import type { StoredHead } from '../../../services/kinds/tabular/fit-model.js';
import { fitSequenceHead, mergeHistories } from '../../../services/kinds/tabular/fit-sequence.js';
import type { HeadModel } from '../../../services/kinds/tabular/head-model.js';
import {
  encodeSequenceFiles,
  loadSequence,
  mixInSequence,
  type SequenceHead,
} from '../../../services/kinds/tabular/sequence-head.js';
import { createTabularScorer } from '../../../services/kinds/tabular/scorer.js';
import type { HeadTarget, RowHistories } from '../../../services/kinds/tabular/training-table.js';

const CLASSES = ['browse', 'buy', 'leave'];
const head = {
  name: 'next_activity',
  column: 'next_activity',
  task: 'multiclass',
  sequence: 'recent_activities',
} as const;

/** Two rows an entity; each repeats a cycle of its own direction, or does whatever comes. */
function drawEntities(entities: number, isOrdered: boolean) {
  const prng = createPrng(5, 1);
  const activities: string[][] = [];
  const lastOrdinal: number[] = [];
  const y: number[] = [];
  const groups: number[] = [];
  for (let entity = 0; entity < entities; entity++) {
    const step = 1 + prng.nextInt(2);
    const events: number[] = [prng.nextInt(3)];
    while (events.length < 16) {
      const follows = isOrdered && prng.next() < 0.9;
      events.push(follows ? (events.at(-1)! + step) % 3 : prng.nextInt(3));
    }
    for (const end of [8, 14]) {
      activities.push(events.slice(0, end).map((code) => CLASSES[code]!));
      lastOrdinal.push(end);
      y.push(events[end]!);
      groups.push(entity);
    }
  }
  const target: HeadTarget = { head, y: Float64Array.from(y), classes: CLASSES };
  const histories: RowHistories = { activities, lastOrdinal: Float64Array.from(lastOrdinal) };
  return { target, histories, groups: Int32Array.from(groups), rows: Uint32Array.from(y.keys()) };
}

/** Features that tell nothing. */
const clueless = (rows: Uint32Array) => ({
  model: { outputs: 3 } as HeadModel,
  unseen: { answers: new Float64Array(3 * rows.length).fill(1 / 3), rows },
});

const fit = (drawn: ReturnType<typeof drawEntities>) =>
  fitSequenceHead({ ...drawn, fitted: clueless(drawn.rows), seed: 3, gpuEnabled: false, onProgress: () => {} });

/** As a deployed version has it: from the bytes of its files and plain JSON. */
function reload(sequence: SequenceHead): SequenceHead {
  const files = new Map(encodeSequenceFiles(sequence));
  const stored = JSON.parse(JSON.stringify(sequence.stored)) as SequenceHead['stored'];
  return loadSequence(stored, (file, decode) => decode(files.get(file)!));
}

describe('a head that is told from sequences', () => {
  it('takes the sequence where it says more than the features, and answers the same after it was stored', async () => {
    const drawn = drawEntities(300, true);
    const { sequence, trial } = await fit(drawn);
    expect(trial.isChosen).toBe(true);
    expect(trial.both!.accuracy).toBeGreaterThan(0.8);
    expect(trial.gain!.value).toBeCloseTo(trial.features!.log_loss - trial.both!.log_loss, 9);
    const served = reload(sequence!);
    const forth = ['browse', 'buy', 'leave', 'browse', 'buy', 'leave', 'browse'];
    const back = ['browse', 'leave', 'buy', 'browse', 'leave', 'buy', 'browse'];
    const answers = [forth, back].map((names) => {
      const [own, stored] = [sequence!, served].map((one) => {
        const answer = new Float64Array(3).fill(1 / 3);
        expect(mixInSequence(one, names, answer)).toBe(true);
        return answer;
      });
      expect(stored).toEqual(own);
      expect(own!.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
      return own!;
    });
    // The last activity is the same; what came before tells which direction the entity goes.
    expect(answers.map((answer) => answer.indexOf(Math.max(...answer)))).toEqual([1, 2]);
  });

  it('gives the same head to the bit for the same seed', async () => {
    const [one, other] = [await fit(drawEntities(300, true)), await fit(drawEntities(300, true))];
    expect(other.trial).toEqual(one.trial);
    expect(encodeSequenceFiles(other.sequence!)).toEqual(encodeSequenceFiles(one.sequence!));
  });

  it('leaves the answer to the features where the order tells nothing, and says by which figures', async () => {
    const { sequence, trial } = await fit(drawEntities(300, false));
    expect(sequence).toBeUndefined();
    expect(trial.isChosen).toBe(false);
    expect(trial.gain!.value).toBeLessThan(2.33 * trial.gain!.standard_error);
  });

  it('does not try with too few entities, and says so', async () => {
    const { sequence, trial } = await fit(drawEntities(50, true));
    expect(sequence).toBeUndefined();
    expect(trial.reason).toContain('40 entities');
  });

  it('answers from the features alone without any activity that it knows', async () => {
    const { sequence } = await fit(drawEntities(300, true));
    for (const names of [[], ['never seen']]) {
      const answer = Float64Array.of(0.2, 0.3, 0.5);
      expect(mixInSequence(sequence!, names, answer)).toBe(false);
      expect([...answer]).toEqual([0.2, 0.3, 0.5]);
    }
  });
});

describe('a scorer with a head that is told from sequences', async () => {
  const drawn = drawEntities(300, true);
  const table = [{ name: 'age', values: Array.from(drawn.rows, (row) => (row * 7) % 60) }];
  const encoder = fitTableEncoder(table, drawn.rows);
  const fitted = fitHead({
    ...drawn,
    x: encodeTable(encoder, table),
    isInTime: false,
    categorical: [],
    variants: [{ algorithm: 'linear', hyperparameters: {} }],
    seed: 1,
    onProgress: () => {},
  });
  const { sequence } = await fitSequenceHead({ ...drawn, fitted, seed: 3, gpuEnabled: false, onProgress: () => {} });
  const stored = {
    name: head.name,
    task: head.task,
    classes: CLASSES,
    algorithm: fitted.model.algorithm,
    file: 'next_activity.model',
    calibration: fitted.calibration,
  };
  const scorerOf = (own: Partial<StoredHead>) =>
    createTabularScorer({
      digest: '0',
      bytes: 0,
      files: new Map([['next_activity.model', fitted.model.encode()], ...encodeSequenceFiles(sequence!)]),
      manifest: {
        kind: 'user_behavior',
        signature: [{ name: 'age', type: 'number' }],
        body: { encoder, heads: [{ ...stored, ...own }] },
      } as unknown as BundleManifest,
    });
  const scorer = scorerOf({ sequence: sequence!.stored });
  const features = { age: 12 };
  const input = { features, options: { recent_activities: ['buy', 'leave', 'browse', 'buy', 'leave'] } };

  it('answers from both where a request lists the activities, and else as if there were no sequence model', () => {
    expect(scorer.predict(input).predictions['next_activity']).toBe('browse');
    expect(scorer.outputs(input)).not.toEqual(scorer.outputs({ features }));
    expect(scorer.outputs({ features })).toEqual(scorerOf({}).outputs({ features }));
    expect(scorer.explain({ features })).toEqual(scorerOf({}).explain({ features }));
  });

  it('explains what it answers: base and contributions add up to it, the sequence among them', () => {
    const { base_value, output, contributions } = scorer.explain(input)!['next_activity']!;
    expect(output).toBe(Math.max(...scorer.outputs(input)['next_activity']!));
    expect(contributions.reduce((sum, one) => sum + one.contribution, base_value)).toBeCloseTo(output, 12);
    expect(contributions[0]).toMatchObject({
      feature: 'recent_activities',
      value: 'buy, leave, browse, buy, leave',
    });
  });

  it('names the activities that it does not know, and goes by the others', () => {
    const odd = { features, options: { recent_activities: [...input.options.recent_activities, 'yawn'] } };
    expect(scorer.warnings(odd)).toEqual([
      { path: 'recent_activities.5', message: '"yawn" did not occur in training and is left out' },
    ]);
    expect(scorer.outputs(odd)).toEqual(scorer.outputs(input));
  });
});

describe('a request about a user', () => {
  const parse = (recent?: unknown) =>
    PREDICT_REQUESTS.user_behavior.safeParse({
      features: { activity_score: 0.8 },
      ...(recent === undefined ? {} : { recent_activities: recent }),
    });

  it('may list the latest activities, and needs not', () => {
    expect(toPredictInput(parse().data!)).not.toHaveProperty('options');
    expect(toPredictInput(parse(['login', 'commit']).data!).options).toEqual({
      recent_activities: ['login', 'commit'],
    });
  });

  it('is refused with an activity that is no name, or with more than a thousand', () => {
    expect(parse([1]).success).toBe(false);
    expect(parse(['']).success).toBe(false);
    expect(parse(new Array(1001).fill('login')).success).toBe(false);
  });
});

describe('the sequences of entities', () => {
  it('have each event once, truths in their place, and nothing from across a gap', () => {
    const list = (codes: string) => codes.split('').map((code) => ({ a: 'browse', b: 'buy', c: 'leave' })[code]!);
    const merge = (rows: [string, number, number][]) => {
      const { codes } = mergeHistories(
        {
          target: { head, y: Float64Array.from(rows, ([, , truth]) => truth), classes: CLASSES },
          groups: new Int32Array(rows.length),
          histories: {
            activities: rows.map(([codes]) => list(codes)),
            lastOrdinal: Float64Array.from(rows, ([, ordinal]) => ordinal),
          },
          seed: 1,
        },
        Uint32Array.from(rows.keys()),
        CLASSES,
      );
      return [...codes].map((code) => 'abc'[code]).join('');
    };
    // Event 4 is the truth of the first row and the first new event of the second.
    expect(
      merge([
        ['abc', 3, 0],
        ['bcaab', 6, 2],
      ]),
    ).toBe('abcaabc');
    // Between two rows nothing happened.
    expect(
      merge([
        ['abc', 3, 0],
        ['abc', 3, 0],
      ]),
    ).toBe('abca');
    // Events 4 to 8 are not known.
    expect(
      merge([
        ['abc', 3, 1],
        ['ba', 10, 2],
      ]),
    ).toBe('bac');
  });
});
