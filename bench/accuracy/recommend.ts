/**
 * Recommendations on msweb and MovieTweetings: the recommender that our training chooses, on the splits of the peers in
 * `baselines.json`, beside the best peer of each set. Printed as JSON lines.
 *
 * Run: node infra/local/run.mjs bench/accuracy/recommend.js   (DATA_DIR has the data sets, default ../shared/data)
 */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { buildInteractions } from '../../ml/recommend/interactions.js';
import type { Interactions } from '../../ml/recommend/interactions.js';
import { judgeRecommender } from '../../ml/recommend/judge-recommender.js';
import { gainAt10, recallAt10 } from '../../ml/recommend/ranking-quality.js';
import { trainRecommender } from '../../ml/recommend/train-recommender.js';
import type { AccuracyRow } from './accuracy-row.js';
import { bestPeer, readBaselines } from './baselines.js';
import type { Baseline } from './baselines.js';

interface Split {
  set: string;
  train: Interactions;
  user: Int32Array;
  target: Int32Array;
  note: string;
}

/**
 * Trains on each set and ranks the whole catalogue for its held-out interactions.
 * @param dataDir folder of `msweb.dst.gz`, `movietweetings_100k/` and `baselines.json`
 */
export async function measureRecommendations(dataDir: string): Promise<AccuracyRow[]> {
  const baselines = readBaselines(dataDir);
  const rows: AccuracyRow[] = [];
  for (const read of [readMsweb, readMovieTweetings]) rows.push(...measure(await read(dataDir), baselines));
  return rows;
}

function measure({ set, train, user, target, note }: Split, baselines: readonly Baseline[]): AccuracyRow[] {
  const started = performance.now();
  const { model, report } = trainRecommender({ interactions: train, seed: 1 });
  const seconds = (performance.now() - started) / 1000;
  const { ranks, coverage } = judgeRecommender(model, { rest: train, user, target }, 1);
  const { settings, refusal } = report;
  const chosen = `${JSON.stringify(settings.learner)}, history half-life ${round(settings.historyHalfLife)}, popularity ${settings.popularityWeight} of half-life ${round(settings.popularityHalfLife)}`;
  const about = `${chosen}${refusal ? `, refused: ${refusal.code}` : ''}; coverage ${coverage.toFixed(3)}; ${user.length} users; trained in ${seconds.toFixed(0)} s; ${note}`;
  const row = (metric: 'recall_at_10' | 'ndcg_at_10', of: (rank: number) => number): AccuracyRow => {
    const { peer, value: peerValue } = bestPeer(baselines, set, metric, true);
    return {
      set,
      task: 'recommendation',
      metric,
      ...meanWithError(ranks.map(of)),
      peer,
      peerValue,
      higherIsBetter: true,
      limit: 0,
      note: about,
    };
  };
  return [row('recall_at_10', recallAt10), row('ndcg_at_10', gainAt10)];
}

function round(value: number): string {
  return value.toPrecision(3);
}

function meanWithError(values: Float64Array): { ours: number; standardError: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { ours: mean, standardError: Math.sqrt(variance / values.length) };
}

async function readLines(path: string): Promise<string[]> {
  return gunzipSync(await readFile(path))
    .toString('utf8')
    .trim()
    .split('\n');
}

/** Numbers ids in ascending order. */
function indexOf(ids: Iterable<number>): Map<number, number> {
  return new Map([...new Set(ids)].sort((a, b) => a - b).map((id, index) => [id, index]));
}

/**
 * Of each user with at least 5 areas the one with the smallest (user * 31 + area) mod 97 is held out. That is not the last one
 * and the visits carry no clock, so they are given without times: the choice then holds out items drawn at random.
 */
async function readMsweb(dataDir: string): Promise<Split> {
  const visits = new Map<number, number[]>();
  let user = NaN;
  for (const line of await readLines(join(dataDir, 'msweb.dst.gz'))) {
    const part = line.split(',');
    if (part[0] === 'C') user = Number(part[2]);
    if (part[0] !== 'V') continue;
    const areas = visits.get(user) ?? [];
    areas.push(Number(part[1]));
    visits.set(user, areas);
  }
  const itemOf = indexOf([...visits.values()].flat());
  const order = (user: number, area: number): number => ((user * 31 + area) % 97) * 1e6 + area;
  const users = [...visits].sort(([a], [b]) => a - b);
  const events: [user: number, item: number][] = [];
  const held: [user: number, item: number][] = [];
  users.forEach(([id, areas], row) => {
    const out = areas.length >= 5 ? areas.reduce((a, b) => (order(id, b) < order(id, a) ? b : a)) : NaN;
    for (const area of areas) (area === out ? held : events).push([row, itemOf.get(area)!]);
  });
  return split('msweb leave-one-out', users.length, itemOf.size, events, undefined, held, 'without times');
}

/** Liked (7 or more) by users with at least 5 of them, the last one held out. */
async function readMovieTweetings(dataDir: string): Promise<Split> {
  const liked = new Map<number, { film: number; time: number }[]>();
  for (const line of (await readLines(join(dataDir, 'movietweetings_100k', 'ratings.csv.gz'))).slice(1)) {
    const [user, film, rating, time] = line.split(',').map(Number) as [number, number, number, number];
    if (rating < 7) continue;
    const list = liked.get(user) ?? [];
    list.push({ film, time });
    liked.set(user, list);
  }
  const users = [...liked].filter(([, list]) => list.length >= 5).sort(([a], [b]) => a - b);
  const itemOf = indexOf(users.flatMap(([, list]) => list.map(({ film }) => film)));
  const events: [user: number, item: number][] = [];
  const times: number[] = [];
  const held: [user: number, item: number][] = [];
  users.forEach(([, list], row) => {
    list.sort((a, b) => a.time - b.time || a.film - b.film);
    list.forEach(({ film, time }, at) => {
      if (at === list.length - 1) held.push([row, itemOf.get(film)!]);
      else {
        events.push([row, itemOf.get(film)!]);
        times.push(time / 86_400);
      }
    });
  });
  const set = 'movietweetings last liked (>= 7)';
  return split(set, users.length, itemOf.size, events, times, held, 'times in days');
}

function split(
  set: string,
  users: number,
  items: number,
  events: [user: number, item: number][],
  time: number[] | undefined,
  held: [user: number, item: number][],
  note: string,
): Split {
  const train = buildInteractions({ users, items, user: events.map(([u]) => u), item: events.map(([, i]) => i), time });
  const [user, target] = [Int32Array.from(held, ([u]) => u), Int32Array.from(held, ([, i]) => i)];
  return { set, train, user, target, note };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const row of await measureRecommendations(resolve(process.env['DATA_DIR'] ?? '../shared/data')))
    console.log(JSON.stringify(row));
}
