import { spawn } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporalCacheDir } from '../../infra/local/temporal-binary.js';
import { TestStack } from '../../infra/local/test-stack.js';
import { projectRoot } from '../../services/project-root.js';
import { SteadyClient } from '../../services/database/steady-client.js';
import { createApiClient } from '../support/api-client.js';
import { blocksOf, documentsForReaders, type DocumentBlock } from '../support/document-blocks.js';
import { queryDatabase } from '../support/query-database.js';
import { simulateFiles } from '../support/simulate-files.js';

const root = projectRoot();
const blocks = documentsForReaders().flatMap(blocksOf);
const tested = blocks.filter(({ mark }) => mark === 'tested');
const pages = new Map<string, DocumentBlock[]>();
for (const block of tested)
  if (block.language === 'sh') pages.set(block.path, [...(pages.get(block.path) ?? []), block]);
/** In fenced blocks, and whole ones in the running text. */
const statements = [
  ...blocks.filter(({ language }) => language === 'sql').map(({ path, text }) => ({ path, statement: text })),
  ...documentsForReaders().flatMap((path) =>
    [...readFileSync(join(root, path), 'utf8').matchAll(/`(SELECT [^`]+ FROM [^`]+)`/g)].map(([, text]) => ({
      path,
      statement: text!,
    })),
  ),
].filter(({ path }) => !path.startsWith('docs/reference/'));

/** A database of others, as the pages name it. */
const ELSEWHERE = 'postgresql://user:pass@host:5432/db';
/** Pages that leave models and traffic as they are, and mostly wait for processes of their own: they go beside the others. */
const ASIDE = ['attacks', 'backup', 'chaos', 'encryption', 'fleet', 'console'].map((name) => `docs/guide/${name}.md`);

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
  'docs/guide/encryption.md': ['ENCRYPTION_KEYS=20', '"writing_key_id":null', 'encryption_conflict'],
  'docs/guide/start.md': ['"churn_probability"', 'SERVING'],
  'docs/guide/user-behavior.md': [
    'occurred_at: timestamp',
    'activity_score, ',
    'promoted',
    'engagement_level',
    'stored',
  ],
  'docs/guide/project-success.md': ['beats the answer', 'risk_factors', 'immature_technology', 'stored'],
  'docs/runbooks/alerts.md': ['[]'],
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
    '"rows": 7043',
    '"model": "telco_churn"',
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
let sourceUrl: string;
let aside: Map<string, Promise<Session>>;
const folder = mkdtempSync(join(tmpdir(), 'mlops-guide-'));

/** The models of the repository, and those that the pages tell a reader to add; returns the models file. */
function writeModels(): string {
  cpSync(join(root, 'models'), join(folder, 'models'), { recursive: true });
  const entry = blocks.find(({ text }) => text.startsWith('telco_churn:'));
  appendFileSync(join(folder, 'models/config.yaml'), `\n${entry!.text}`);
  return join(folder, 'models/config.yaml');
}

/** What npx and npm start in the end, without the second that each of the two takes to find it out. */
function writeLaunchers(): void {
  const { bin, scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    bin: Record<string, string>;
    scripts: Record<string, string>;
  };
  const npx = Object.entries(bin).map(([name, path]) => `${name}) shift; exec node ${join(root, path)} "$@";;`);
  const npm = Object.entries(scripts).map(([name, line]) => `${name}) exec ${line} "$@";;`);
  // The real one stands behind this folder on the path.
  const real = (name: string) => `PATH=\${PATH#*:} exec ${name} "$@"`;
  const launchers = {
    npx: `case $1 in ${npx.join(' ')} esac\n${real('npx')}`,
    npm: `[ "$1" = run ] || ${real('npm')}
shift; while [ "\${1#-}" != "$1" ]; do shift; done; name=$1; shift; [ "\${1:-}" != -- ] || shift; cd ${root}
case $name in ${npm.join('\n')} esac; echo "npm run $name?" >&2; exit 2`,
  };
  for (const [name, script] of Object.entries(launchers))
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

beforeAll(async () => {
  writeLaunchers();
  stack = await TestStack.start({ WEBHOOK_ALLOWED_HOSTS: '127.0.0.1', MODELS_CONFIG: writeModels() });
  const api = createApiClient(() => stack.api);
  // What `npm start` does for a user, with fewer people and months, and all models at once.
  const source = new URL(stack.addresses.databaseUrl);
  source.pathname = '/elsewhere';
  sourceUrl = source.href;
  await queryDatabase(stack.addresses.databaseUrl, 'CREATE DATABASE elsewhere');
  simulateFiles(stack.stateDir, 600, '--start', '2023-12-01', '--database-url', sourceUrl);
  await Promise.all(
    DEMO_MODELS.map(async ([table, model, options]) => {
      await api.run('/data/ingest', { source: `${table}.parquet`, data_type: table }, `docs-ingest-${table}`);
      const trained = await api.run('/models/train', { model_type: model, ...options }, `docs-train-${model}`);
      const deployment = { version: trained['version'], allow_unpromotable: true };
      await api.run(`/models/${model}/deploy`, deployment, `docs-deploy-${model}`);
    }),
  );
  let before: Promise<unknown> = Promise.resolve();
  aside = new Map(
    ASIDE.map((path) => {
      const session = before.then(() => runSession(path));
      before = session;
      return [path, session];
    }),
  );
}, 300_000);
afterAll(async () => {
  await Promise.allSettled(aside?.values() ?? []);
  await stack?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Session {
  code: number | null;
  told: string;
}

/** Runs the blocks of one document as one terminal session, and says in which line of the document it stopped. */
async function runSession(path: string): Promise<Session> {
  const parts = pages.get(path)!.map(({ line, text }) => `printf '\\n# %s:%s\\n' ${path} ${line}\n${text}`);
  const script = ['set -euo pipefail', ...parts]
    .join('\n')
    .replaceAll('http://127.0.0.1:8080', stack.api)
    .replaceAll('127.0.0.1:7233', stack.addresses.temporal)
    .replaceAll(ELSEWHERE, sourceUrl);
  const file = join(folder, `${path.replaceAll('/', '-')}.sh`);
  writeFileSync(file, script);
  const child = spawn('bash', [file], {
    cwd: root,
    env: {
      ...process.env,
      PATH: [folder, temporalCacheDir(), process.env['PATH']].join(delimiter),
      // Where a page says that you have one.
      ...(path === 'docs/runbooks/README.md' ? { TOKEN: 'made-up', TMPDIR: folder } : {}),
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
    expect([...pages.keys()]).toEqual(
      expect.arrayContaining([
        'README.md',
        'docs/guide/operate.md',
        'docs/guide/your-own-data.md',
        'docs/guide/recommendation.md',
        ...ASIDE,
        ...Object.keys(PROMISED),
      ]),
    );
    expect(tested.filter(({ language }) => !['sh', 'sql'].includes(language))).toEqual([]);
  });

  it.each([...pages.keys()])('of %s do what the document says, in its order', async (path) => {
    const { code, told } = await (aside.get(path) ?? runSession(path));
    expect(code, told.slice(-4000)).toBe(0);
    expect(told).toContain(`${path}:${pages.get(path)!.at(-1)!.line}`);
    for (const words of PROMISED[path] ?? []) expect(told).toContain(words);
  });

  it('of SQL are ones that the database takes', async () => {
    expect(statements.length).toBeGreaterThan(12);
    const client = new SteadyClient({ connectionString: stack.addresses.databaseUrl });
    await client.connect();
    try {
      for (const { path, statement } of statements) {
        await client.query('BEGIN');
        await expect(client.query(statement), `${path}: ${statement}`).resolves.toBeDefined();
        await client.query('ROLLBACK');
      }
    } finally {
      await client.end();
    }
  });
});
