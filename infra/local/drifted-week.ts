import { setTimeout as sleep } from 'node:timers/promises';
import { SteadyClient } from '../../services/database/steady-client.js';
import { drawProjectPlan, projectSuccessChance, type ProjectPlan } from '../../simulator/project-model.js';
import { RandomSource } from '../../simulator/random-source.js';
import type { ServiceClient } from './service-client.js';

/** A model of `models/config.yaml` that the demo leaves alone. */
const MODEL = 'project_outcome';
const COLUMN = 'input:duration_estimate';
const DAYS = 8;
/** From this day on the projects are others. */
const CHANGED_FROM = 4;
const PROJECTS_A_DAY = 400;
/** Outcomes that are told at once. */
const CALLS = 20;
const DAY_MS = 86_400_000;
const STORED_WITHIN_MS = 60_000;

/** Days of UTC that have ended, the oldest first, each by its midnight. */
const daysBefore = (nowMs: number) =>
  Array.from({ length: DAYS }, (_, day) => (Math.floor(nowMs / DAY_MS) - DAYS + day) * DAY_MS);

/** Plans as ever; later the company takes on harder projects, more of them by the day, and plans them longer. */
function drawPlan(random: RandomSource, day: number): ProjectPlan {
  const plan = drawProjectPlan(random);
  if (day < CHANGED_FROM || !random.chance(0.25 + 0.15 * (day - CHANGED_FROM))) return plan;
  return {
    ...plan,
    complexityScore: 0.7 + 0.3 * plan.complexityScore,
    durationEstimate: Math.round(plan.durationEstimate * 1.8),
  };
}

/** What the newest window says of the column that drifts most, and how many windows there are. */
async function findDrift(client: ServiceClient): Promise<{ windows: number; finding: string }> {
  const { items } = await client.get<{ items: { id: string }[] }>(
    `/monitors/${MODEL}/findings?monitor=drift&subject=${COLUMN}`,
  );
  return { windows: items.length, finding: items[0]?.id ?? '' };
}

/**
 * Gives the service eight days of projects whose plans drift, and has its monitor judge each: what else takes a week to look at. The projects are
 * asked about and end by the usual calls; only their days are written into the log. Where it was done before, nothing is done.
 * @param databaseUrl of the service: nobody else can say that something was asked on another day
 * @returns the model that was asked, and the newest finding about a column that drifted
 */
export async function makeDriftedWeek(
  client: ServiceClient,
  databaseUrl: string,
): Promise<{ drifted: string; finding: string }> {
  if ((await findDrift(client)).windows < DAYS) await makeDays(client, databaseUrl);
  return { drifted: MODEL, finding: (await findDrift(client)).finding };
}

async function makeDays(client: ServiceClient, databaseUrl: string): Promise<void> {
  const { version } = await client.run('/models/train', { model_type: MODEL });
  await client.run(`/models/${MODEL}/deploy`, { version });
  await client.call('PUT', `/monitors/${MODEL}`, {
    every_hours: 24,
    drift: { window_hours: 24, segments: [] },
    performance: { label_maturity_hours: 0 },
  });
  const random = new RandomSource(1, 'drifted-week');
  const database = new SteadyClient({ connectionString: databaseUrl });
  await database.connect();
  try {
    for (const [day, startMs] of daysBefore(Date.now()).entries()) {
      const plans = Array.from({ length: PROJECTS_A_DAY }, () => drawPlan(random, day));
      const ids = await ask(client, plans, day);
      await moveTo(database, ids, startMs);
      const ends = plans.map((plan) => (random.chance(projectSuccessChance(plan)) ? 'success' : 'failed'));
      await tell(client, ids, ends);
      await client.run(`/monitors/${MODEL}/run`, { window_end: new Date(startMs + DAY_MS).toISOString() });
    }
  } finally {
    await database.end();
  }
}

/** Asks about a day's projects. @returns the ids of the predictions */
async function ask(client: ServiceClient, plans: readonly ProjectPlan[], day: number): Promise<string[]> {
  const { results } = await client.call<{ results: { prediction_id: string }[] }>('POST', `/predict/${MODEL}/batch`, {
    instances: plans.map((plan, at) => ({
      entity_id: `day-${day}-${at}`,
      features: {
        complexity_score: plan.complexityScore,
        team_size: plan.teamSize,
        duration_estimate: plan.durationEstimate,
        technology_maturity: plan.technologyMaturity,
      },
    })),
  });
  return results.map(({ prediction_id: id }) => id);
}

/** Tells how they ended. */
async function tell(client: ServiceClient, ids: readonly string[], ends: readonly string[]): Promise<void> {
  for (let from = 0; from < ids.length; from += CALLS)
    await Promise.all(
      ids
        .slice(from, from + CALLS)
        .map((id, at) => client.call('POST', `/predictions/${id}/feedback`, { outcome: { label: ends[from + at] } })),
    );
}

/** Once the log has them, spreads the predictions over their day. @throws Error where they do not come to the database */
async function moveTo(database: SteadyClient, ids: readonly string[], startMs: number): Promise<void> {
  const count = 'SELECT count(*)::int AS n FROM predictions WHERE id = ANY($1)';
  for (const deadlineMs = Date.now() + STORED_WITHIN_MS; ; await sleep(200)) {
    const { rows } = await database.query<{ n: number }>(count, [ids]);
    if (rows[0]!.n === ids.length) break;
    if (Date.now() > deadlineMs)
      throw new Error('The predictions do not come to the database: is DATABASE_URL that of the service?');
  }
  await database.query('SELECT prepare_prediction_partition($1::date)', [new Date(startMs).toISOString().slice(0, 10)]);
  const spread = `UPDATE predictions SET created_at = $2::timestamptz + interval '23 hours' * (array_position($1::text[], id)::float / cardinality($1::text[]))
    WHERE id = ANY($1)`;
  await database.query(spread, [ids, new Date(startMs).toISOString()]);
}
