import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { nextClasses, nextOf, predictionsOf, sequenceCount, sliceSequences } from '../../ml/neural/event-sequences.js';
import type { EventSequences } from '../../ml/neural/event-sequences.js';
import { fitNextActivityModel } from '../../ml/neural/fit-next-activity-model.js';
import type { NextActivityChoice } from '../../ml/neural/fit-next-activity-model.js';
import { predictNextActivity } from '../../ml/neural/next-activity-model.js';
import { selectNetworkBackend } from '../../services/training/network-backend.js';
import type { AccuracyRow } from './accuracy-row.js';

/** The first 70 % of the sequences by their beginning are learnt from, as the peers did. */
const TRAINING_SHARE = 0.7;

/**
 * Next activity on the two sets that have one: the share of predictions whose most probable answer came true, over the
 * positions of the later sequences that the peers were judged on: all of them and the end on `helpdesk`, all but the first and
 * the end on `msweb`. Trains on the best backend of this machine.
 * @param dataDir the folder with `helpdesk_events.csv.gz` and `msweb.dst.gz`
 */
export async function measureNextActivity(dataDir: string): Promise<AccuracyRow[]> {
  const { device } = await selectNetworkBackend({ gpuEnabled: false });
  const helpdesk = await measure(readHelpdesk(join(dataDir, 'helpdesk_events.csv.gz')), { seed: 1, from: 0 });
  const msweb = await measure(readMsweb(join(dataDir, 'msweb.dst.gz')), { seed: 2, from: 1 });
  const shared = { metric: 'accuracy', higherIsBetter: true, limit: 0 };
  return [
    {
      ...shared,
      set: 'helpdesk',
      task: 'next activity, later tickets',
      ours: helpdesk.accuracy,
      standardError: helpdesk.standardError,
      peer: 'LightGBM on the history (Markov chain 0.856)',
      peerValue: 0.8602,
      note: describe(helpdesk, device),
    },
    {
      ...shared,
      set: 'msweb',
      task: 'next area, later users',
      ours: msweb.accuracy,
      standardError: msweb.standardError,
      peer: 'Markov chain of order 2',
      peerValue: 0.4232,
      note: describe(msweb, device),
    },
  ];
}

interface Measured {
  accuracy: number;
  standardError: number;
  logLoss: number;
  predictions: number;
  choice: NextActivityChoice;
}

function describe({ choice, logLoss, predictions }: Measured, device: string): string {
  return `${choice.chosen}, of ${choice.candidates.length} candidates; log loss ${logLoss.toFixed(3)} over ${predictions} predictions; ${device}`;
}

async function measure(sequences: EventSequences, { seed, from }: { seed: number; from: number }): Promise<Measured> {
  const count = sequenceCount(sequences);
  const cut = Math.floor(TRAINING_SHARE * count);
  const { model, choice } = await fitNextActivityModel({ sequences: sliceSequences(sequences, 0, cut), seed });
  const later = sliceSequences(sequences, cut, count);
  const out = new Float64Array(nextClasses(sequences));
  const shares: number[] = [];
  let hits = 0;
  let loss = 0;
  let predictions = 0;
  for (let i = 0; i < sequenceCount(later); i++) {
    const start = later.offsets[i]!;
    const own = predictionsOf(later, i);
    let right = 0;
    for (let position = from; position < own; position++) {
      const codes = later.codes.subarray(start, start + position);
      predictNextActivity(model, { codes, times: later.times.subarray(start, start + position) }, out);
      const truth = nextOf(later, i, position);
      if (out.indexOf(Math.max(...out)) === truth) right++;
      loss -= Math.log(Math.max(1e-6, out[truth]!));
    }
    hits += right;
    predictions += own - from;
    shares.push(right, own - from);
  }
  const accuracy = hits / predictions;
  // Predictions of one sequence are not independent: the error is that of a ratio over sequences.
  let variance = 0;
  for (let i = 0; i < shares.length; i += 2) variance += (shares[i]! - accuracy * shares[i + 1]!) ** 2;
  return {
    accuracy,
    standardError: Math.sqrt(variance) / predictions,
    logLoss: loss / predictions,
    predictions,
    choice,
  };
}

/** One ticket a sequence, ordered by its first event; events in the file's order, and an end marker. */
function readHelpdesk(path: string): EventSequences {
  const tickets = new Map<string, { codes: number[]; times: number[] }>();
  for (const line of readLines(path).slice(1)) {
    const [ticket, activity, time] = line.split(',');
    const own = tickets.get(ticket!) ?? { codes: [], times: [] };
    tickets.set(ticket!, own);
    own.codes.push(Number(activity) - 1);
    // The file gives no zone; read as UTC the hours are those of its clock.
    own.times.push(Date.parse(`${time!.replace(' ', 'T')}Z`));
  }
  const ordered = [...tickets.values()].sort((a, b) => Math.min(...a.times) - Math.min(...b.times));
  return toSequences(ordered, 9);
}

/** One user a sequence, in the order listed; areas in the order visited, without times, and an end marker. */
function readMsweb(path: string): EventSequences {
  const areas = new Map<string, number>();
  const users: { codes: number[]; times: number[] }[] = [];
  for (const line of readLines(path)) {
    const [kind, id] = line.split(',');
    if (kind === 'C') users.push({ codes: [], times: [] });
    if (kind !== 'V') continue;
    if (!areas.has(id!)) areas.set(id!, areas.size);
    users.at(-1)!.codes.push(areas.get(id!)!);
    users.at(-1)!.times.push(NaN);
  }
  return toSequences(users, areas.size);
}

function toSequences(entities: readonly { codes: number[]; times: number[] }[], activities: number): EventSequences {
  const offsets = new Uint32Array(entities.length + 1);
  entities.forEach(({ codes }, i) => (offsets[i + 1] = offsets[i]! + codes.length));
  return {
    activities,
    hasEnd: true,
    offsets,
    codes: Int32Array.from(entities.flatMap(({ codes }) => codes)),
    times: Float64Array.from(entities.flatMap(({ times }) => times)),
  };
}

function readLines(path: string): string[] {
  return gunzipSync(readFileSync(path)).toString('latin1').split(/\r?\n/).filter(Boolean);
}
