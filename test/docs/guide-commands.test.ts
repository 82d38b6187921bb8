import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporalCacheDir } from '../../infra/local/temporal-binary.js';
import { TestStack } from '../../infra/local/test-stack.js';
import { projectRoot } from '../../services/project-root.js';
import { createApiClient } from '../support/api-client.js';
import { queryDatabase } from '../support/query-database.js';
import { simulateFiles } from '../support/simulate-files.js';

const root = projectRoot();
const pages = ['docs/guide', 'docs/runbooks'].flatMap((folder) =>
  readdirSync(join(root, folder)).map((name) => `${folder}/${name}`),
);
const TESTED = /^<!-- tested -->\n+```sh\n([\s\S]*?)^```/gm;
const TESTED_SQL = /^<!-- tested -->\n+```sql\n([\s\S]*?)^```/gm;
const texts = ['README.md', ...pages].map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
const statements = texts.flatMap(({ path, text }) =>
  [...text.matchAll(TESTED_SQL)].map((match) => ({ path, statement: match[1] ?? '' })),
);
const documents = texts
  .map(({ path, text }) => ({
    path,
    blocks: [...text.matchAll(TESTED)].map((match) => ({
      line: text.slice(0, match.index).split('\n').length + 2,
      commands: match[1] ?? '',
    })),
  }))
  .filter(({ blocks }) => blocks.length > 0);

/** What a page promises beyond commands that succeed. */
const PROMISED: Record<string, readonly string[]> = {
  'README.md': ['"churn_probability"', 'features.activity_skore', 'v1.1.0'],
  'docs/guide/command-line.md': [
    'user_behavior',
    'version: v1.',
    'promoted  immediate',
    'is not told: created_at, outcome, actual_days',
    '2043 rows answered, 0 not.',
    'row,prediction_id,model_version,label',
    '0 problems',
    'temporal workflow start --type trainModel',
    '"exit_code":4',
    'ended with 4',
  ],
  'docs/guide/drills.md': [
    '"state":"passed"',
    '"seconds_to_safety"',
    'splits without a difference would have been rolled back',
    '"cron":"0 4 * * 1"',
    'aa_replay',
  ],
  'docs/guide/console.md': ["default-src 'none'", 'immutable', 'br'],
  'docs/guide/backup.md': ['is the backup of', 'is whole'],
  'docs/runbooks/bad-model.md': ['"name":"bad-model"', 'learnt from ds_'],
  'docs/runbooks/lost-worker.md': ['training_worker up', 'SERVING'],
  'docs/guide/alerts.md': ['"declared_in":"built_in"', '"state":"active"', '"used_up":false'],
  'docs/guide/repair.md': ['"state":"failed"', 'There is too little'],
  'docs/guide/sources.md': ['"accepted":2,"rejected":1', '"path":"event_id"'],
  'docs/guide/features.md': [
    '"status":"missing"',
    '"status":"fresh"',
    'entities:',
    '"user_activity__planned_ratio":',
    'null_share',
  ],
  'docs/guide/lineage-and-erasure.md': [
    'trained_on dataset:',
    '"policy":',
    'staging: 0',
    "state: 'completed'",
    'complete: true',
  ],
  'docs/guide/monitoring.md': ['training', 'as if the unit had changed', '"owner":"delivery team"'],
  'docs/guide/operate.md': [
    '"status":"completed"',
    'retrain-project_outcome',
    '"note":"release freeze"',
    '"timezone":"Europe/Berlin"',
    '"state":"promoted"',
    '"paused":true',
    '"stage":"done"',
    '"status":"cancelled"',
    'job_terminated',
    'crossValidate',
    'DatasetId',
    'SERVING',
  ],
  'docs/guide/observability.md': ['mlops_task_queue_pollers', '# EOF', '"level":"DEBUG"'],
  'docs/guide/tracking.md': ['"run_id":', '"peak_memory_bytes":', '"next_cursor":', '"differs":'],
  'docs/guide/rollouts.md': [
    '"phase":"canary"',
    'pause by local',
    'traffic_frozen',
    '"name":"weekend"',
    '"reproduced":true',
    '"served":true',
    '"arm":"',
    '"entities_per_day"',
    '"experiment_id":"exp-',
    'stopped',
    '"propensity":',
    'checkout',
  ],
  'docs/guide/security.md': [
    'first-admin',
    'prometheus-token has a new token.',
    '"token_id":',
    '"action":"token.created"',
    '"intact":true',
  ],
  'docs/guide/encryption.md': ['ENCRYPTION_KEYS=20'],
  'docs/guide/start.md': ['"churn_probability"', 'SERVING'],
  'docs/guide/user-behavior.md': [
    'occurred_at: timestamp',
    'activity_score, ',
    'promoted',
    'engagement_level',
    'stored',
  ],
  'docs/guide/project-success.md': ['beats the answer', 'risk_factors', 'immature_technology', 'stored'],
  'docs/guide/migration.md': ['churn_flag: boolean', '"status":', 'engagement_level'],
  'docs/guide/clients.md': ['churn', 'refused 422 features.activity_skore'],
  'docs/guide/serving.md': ['"state":"stored"'],
  'docs/guide/validation.md': [
    'passed unique project_id created_at',
    'passed late although quick',
    '<!doctype html>',
    'POST /data/schemas/checked_projects/accept',
    'is not a number',
    '60 rows',
  ],
  'docs/guide/preprocessing.md': ['"outcome":"success"', 'preprocess', 'complexity_score, team_size'],
  'docs/guide/versions.md': [
    'urn:problem:version_conflict',
    '## Intended use',
    '"same_rows":',
    "[ 'local' ]",
    '"type": "version.production"',
    '"status_code":200',
    '"to":"candidate"',
    'webhook.test',
  ],
  'docs/guide/your-own-data.md': [
    '"rows": 2043',
    '"promotable": true',
    '"state": "promoted"',
    '"explanation_base_values"',
  ],
};

/** What the demo trains, on which table, and how: the guides show the searches. */
const DEMO_MODELS = [
  ['user_events', 'user_behavior', {}],
  ['projects', 'project_success', { search: false }],
  ['resource_metrics', 'anomaly_detection', {}],
  ['item_interactions', 'recommendation', {}],
] as const;

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start({ WEBHOOK_ALLOWED_HOSTS: '127.0.0.1' });
  const api = createApiClient(() => stack.api);
  // What `npm start` does for a user, with fewer people and months, and all models at once.
  simulateFiles(stack.stateDir, 600, '--start', '2023-12-01');
  await Promise.all(
    DEMO_MODELS.map(async ([table, model, options]) => {
      await api.run('/data/ingest', { source: `${table}.parquet`, data_type: table }, `docs-ingest-${table}`);
      const trained = await api.run('/models/train', { model_type: model, ...options }, `docs-train-${model}`);
      const deployment = { version: trained['version'], allow_unpromotable: true };
      await api.run(`/models/${model}/deploy`, deployment, `docs-deploy-${model}`);
    }),
  );
}, 300_000);
afterAll(() => stack?.stop());

/** Runs the blocks of one document as one terminal session, and says in which line of the document it stopped. */
async function runSession({
  path,
  blocks,
}: (typeof documents)[number]): Promise<{ code: number | null; told: string }> {
  const parts = blocks.map(({ line, commands }) => `printf '\\n# %s:%s\\n' ${path} ${line}\n${commands}`);
  const script = ['set -euo pipefail', ...parts]
    .join('\n')
    .replaceAll('http://127.0.0.1:8080', stack.api)
    .replaceAll('127.0.0.1:7233', stack.addresses.temporal);
  const file = join(stack.stateDir, 'session.sh');
  writeFileSync(file, script);
  const child = spawn('bash', [file], {
    cwd: root,
    env: {
      ...process.env,
      PATH: `${temporalCacheDir()}${delimiter}${process.env['PATH'] ?? ''}`,
      STATE_DIR: stack.stateDir,
      TEMPORAL_ADDRESS: stack.addresses.temporal,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let told = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (told += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { code, told };
}

describe('the commands of the documents', () => {
  it('are found in the README, the operator’s guide and the guide to own data', () => {
    expect(documents.map(({ path }) => path)).toEqual(
      expect.arrayContaining([
        'README.md',
        'docs/guide/operate.md',
        'docs/guide/your-own-data.md',
        'docs/guide/recommendation.md',
      ]),
    );
  });

  it.each(documents)('of $path do what the document says, in its order', async (document) => {
    const { code, told } = await runSession(document);
    expect(code, told.slice(-4000)).toBe(0);
    expect(told).toContain(`${document.path}:${document.blocks.at(-1)?.line}`);
    for (const words of PROMISED[document.path] ?? []) expect(told).toContain(words);
  });

  it('of SQL are ones that the database takes', async () => {
    expect(statements.length).toBeGreaterThan(8);
    for (const { path, statement } of statements)
      await expect(
        queryDatabase(stack.addresses.databaseUrl, statement),
        `${path}: ${statement}`,
      ).resolves.toBeDefined();
  });
});
