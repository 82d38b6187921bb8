import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../infra/local/free-port.js';
import type { Part } from '../../infra/local/local-stack.js';
import { TestStack } from '../../infra/local/test-stack.js';
import { REPAIRS } from '../../cli/doctor/examine-service.js';
import { compiledScript, projectRoot } from '../../services/project-root.js';
import { eventually } from '../integration/api/support/service.js';
import { runCommandLine } from '../support/command-line.js';
import { queryDatabase } from '../support/query-database.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';

const root = projectRoot();
const SAMPLE = join(root, 'data/samples/projects.csv');
const QUICK = '{"n_estimators": 10}';

let stack: TestStack;
let redis: RedisServer | undefined;
let folder: string;
/** What one part is given from its next start on. */
const settings: Partial<Record<Part, Record<string, string>>> = {};

const mlops = (args: readonly string[], input = '', env: NodeJS.ProcessEnv = {}) =>
  runCommandLine(args, { folder, input, env: { STATE_DIR: stack.stateDir, ...env } });

const lines = (text: string) => text.trim().split('\n');

describe('the command line, from signing in to rolling back', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mlops-cli-'));
    for (const name of ['config.yaml', 'data-types.yaml', 'features.yaml'])
      copyFileSync(join(root, 'models', name), join(folder, name));
    redis = hasRedis() ? await RedisServer.start() : undefined;
    stack = await TestStack.start(
      {
        AUTO_ML_ENABLED: 'false',
        MODELS_CONFIG: join(folder, 'config.yaml'),
        ...(redis ? { REDIS_URL: redis.url() } : {}),
      },
      { envOf: (part, env) => ({ ...env, ...settings[part] }) },
    );
  });
  afterAll(async () => {
    await stack?.stop();
    await redis?.kill9();
    rmSync(folder, { recursive: true, force: true });
  });

  it('keeps who calls in a file that only its owner can read', async () => {
    const wrong = await mlops(['login', '--url', `http://127.0.0.1:${await freePort()}`]);
    expect(wrong).toMatchObject({ code: 3 });
    expect(wrong.err).toContain('npm start');
    const signedIn = await mlops(['login', '--url', `${stack.api}/`, '--token-stdin', '--json'], 'a-token\n');
    expect(signedIn).toMatchObject({ code: 0, json: { url: stack.api, has_token: true } });
    const path = signedIn.json['path'] as string;
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ url: stack.api, token: 'a-token' });
    // Without sign-in any token is as good as none.
    const status = await mlops(['status', '--json']);
    expect(status).toMatchObject({ code: 0, json: { url: stack.api, health: { status: 'ok' } } });
  });

  it('sends a file, trains with its progress, and rolls the version out', async () => {
    const ingested = await mlops(['ingest', SAMPLE, '--type', 'projects', '--json']);
    expect(ingested, ingested.err).toMatchObject({ code: 0, json: { status: 'completed', result: { rows: 2043 } } });
    const trained = await mlops(['train', 'project_outcome', '--hyperparameters', QUICK]);
    expect(trained.code, trained.err).toBe(0);
    expect(trained.out).toContain('version: v1.0.0');
    expect(trained.out).toMatch(/label roc_auc: 0\.9\d* \(0\.\d+ to 0\.\d+\)/);
    expect(
      lines(trained.err).every((line) => /[█░]{20} +\d+ %/.test(line)),
      trained.err,
    ).toBe(true);
    const deployed = await mlops(['deploy', 'project_outcome']);
    expect(deployed.code, deployed.err + deployed.out).toBe(0);
    expect(deployed.out).toContain('project_outcome v1.0.0  promoted');
    expect((await mlops(['models'])).out).toMatch(/project_outcome +classification .*v1\.0\.0 +v1\.0\.0/);
  });

  it('answers a file of rows with a file of answers, and tells which rows could not be', async () => {
    const one = await mlops([
      'predict',
      'project_outcome',
      '--data',
      '{"features": {"team_size": 3}}',
      '--contributions',
      '--json',
    ]);
    expect(one).toMatchObject({
      code: 0,
      json: { model_version: 'v1.0.0', explanations: { label: expect.any(Array) } },
    });

    const output = join(folder, 'answers.csv');
    const whole = await mlops([
      'predict',
      'project-outcome',
      '--input',
      SAMPLE,
      '--entity',
      'project_id',
      '--output',
      output,
    ]);
    expect(whole.code, whole.err).toBe(0);
    expect(whole.err).toContain('is not told: created_at, outcome, actual_days');
    expect(whole.err).toContain('2043 rows answered, 0 not.');
    const answers = lines(readFileSync(output, 'utf8'));
    expect(answers).toHaveLength(2044);
    expect(answers[0]).toMatch(/^row,prediction_id,model_version,label,.*confidence_label,error$/);
    expect(answers[2043]).toMatch(/^2043,pred_\w+,v1\.0\.0,(success|failed),/);

    const rows = ['{"team_size": 2}', '{"team_size": "many"}', '{"features": {"team_size": 4}}'].join('\n');
    const mixed = await mlops(['predict', 'project_outcome', '--input', '-', '--batch-size', '2'], rows);
    expect(mixed.code).toBe(1);
    expect(mixed.err).toContain('row 2: features.team_size:');
    const told = lines(mixed.out).map((line) => JSON.parse(line) as { row: number; error?: object });
    expect(told.map(({ row, error }) => [row, error !== undefined])).toEqual([
      [1, false],
      [2, true],
      [3, false],
    ]);

    const cut = await mlops(
      ['predict', 'project_outcome', '--input', '-', '--output', output],
      '{"team_size": 2}\n{"team',
    );
    expect(cut.code).toBe(2);
    expect(cut.err).toContain('-, row 2:');
    expect(lines(readFileSync(output, 'utf8'))).toHaveLength(2044);
  });

  it('compares versions, shows the ladder of a canary, lets people decide, and rolls back', async () => {
    const second = await mlops(['train', 'project_outcome', '--hyperparameters', '{"n_estimators": 20}', '--json']);
    expect(second).toMatchObject({ code: 0, json: { result: { version: 'v1.1.0' } } });
    const compared = await mlops(['compare', 'project_outcome', 'v1.1.0', 'v1.0.0', '--json']);
    expect(compared).toMatchObject({ json: { same_rows: true, a: { version: 'v1.1.0' } } });
    const started = await mlops([
      'deploy',
      'project_outcome',
      'v1.1.0',
      '--strategy',
      'canary',
      '--steps',
      '5,50,100',
      '--step-seconds',
      '1',
      '--no-wait',
      '--json',
    ]);
    const rollout = started.json['deployment_id'] as string;
    const watching = mlops(['rollouts', 'watch', rollout]);
    const second409 = await mlops(['deploy', 'project_outcome', 'v1.1.0']);
    expect(second409.code, 'one rollout at a time').toBe(4);
    for (;;) {
      const { json } = await mlops(['rollouts', 'promote', rollout, '--note', 'seen enough', '--json']);
      if (json['deployment_id'] === rollout) break;
    }
    const watched = await watching;
    expect(watched.code, watched.err).toBe(0);
    expect(watched.out).toContain('[5] > 50 > 100 %');
    expect(watched.out).toContain('promoted  5 > 50 > [100] %');
    const back = await mlops(['rollback', 'project_outcome', '--json']);
    expect(back).toMatchObject({ code: 0, json: { version: 'v1.0.0', rolled_back_version: 'v1.1.0', served: true } });
  });

  it('follows a search, and a job that is cancelled or fails ends with 1', async () => {
    const started = await mlops(['train', 'project_outcome', '--trials', '200', '--no-wait', '--json']);
    const job = started.json['job_id'] as string;
    const watching = mlops(['sweep', 'watch', job]);
    const following = mlops(['jobs', 'watch', job]);
    for (;;) {
      const { json } = await mlops(['sweep', 'list', '--json']);
      if ((json['items'] as { counts: { completed: number } }[])[0]?.counts.completed) break;
    }
    expect(await mlops(['jobs', 'cancel', job, '--json'])).toMatchObject({ code: 0, json: { status: 'cancelled' } });
    const [sweep, followed] = [await watching, await following];
    expect(sweep.code, sweep.err).toBe(1);
    expect(sweep.out).toMatch(/trial \d+ {2}completed {2}0\.\d+/);
    expect(sweep.out).toContain('cancelled');
    expect(followed.code).toBe(1);
    expect(followed.out).toContain(`mlops jobs retry ${job}`);

    const failed = await mlops(['ingest', 'absent.csv', '--type', 'projects', '--no-upload', '--json']);
    expect(failed.code).toBe(4);
    expect(failed.err).toContain('source_forbidden');
  });

  it('keeps schedules and shows features', async () => {
    const set = await mlops([
      'schedules',
      'set',
      'project_outcome',
      '--cron',
      '0 3 * * 1',
      '--timezone',
      'Europe/Berlin',
      '--json',
    ]);
    expect(set, set.err).toMatchObject({ code: 0, json: { cron: '0 3 * * 1', timezone: 'Europe/Berlin' } });
    expect((await mlops(['schedules', 'pause', 'project_outcome'])).code).toBe(0);
    expect((await mlops(['schedules', 'list'])).out).toMatch(/project_outcome +0 3 \* \* 1 +Europe\/Berlin +true/);
    expect((await mlops(['schedules', 'remove', 'project_outcome'])).code).toBe(0);
    expect((await mlops(['features', 'list', '--json'])).json['items']).not.toHaveLength(0);
  });

  it('says of what a server does not have that it does not, and of what it refuses why', async () => {
    for (const command of [
      ['drift', 'project_outcome'],
      ['performance', 'project_outcome'],
      ['alerts', 'list'],
      ['audit', 'verify'],
    ]) {
      const { code, err } = await mlops([...command, '--json']);
      expect(code === 4 ? err : '"not_available"', command.join(' ')).toContain('"not_available"');
      expect([0, 1, 4]).toContain(code);
    }
    const unknown = await mlops(['train', 'no_such_model', '--json']);
    expect(unknown.code).toBe(4);
    expect(JSON.parse(unknown.err)).toMatchObject({
      error: { code: 'model_not_found', exit_code: 4, correlation_id: expect.any(String) },
    });
    expect((await mlops(['jobs', 'list', '--status', 'lost'])).code).toBe(2);
    expect((await mlops(['jobs', 'list', '--type', 'train', '--json'])).json['items']).toHaveLength(3);
  });

  it('finds what is wrong with an installation, and says how to repair it', async () => {
    const well = await mlops(['doctor', '--json']);
    expect(well, well.out).toMatchObject({ code: 0, json: { healthy: true } });
    const checks = (well.json['findings'] as { check: string }[]).map(({ check }) => check);
    expect(checks).toEqual(
      expect.arrayContaining([
        'node_version',
        'disk_space',
        'port',
        'clock',
        'dependency:database_schema',
        'dependency:pipeline_worker',
        'jobs',
      ]),
    );
    const config = readFileSync(join(folder, 'config.yaml'), 'utf8');
    const found = async (env: NodeJS.ProcessEnv = {}) => {
      const ill = await mlops(['doctor', '--json'], '', env);
      expect(ill.code, ill.out).toBe(1);
      const findings = ill.json['findings'] as { check: string; state: string; message: string; repair?: string }[];
      return findings
        .filter(({ state }) => state === 'problem')
        .map(({ check, message, repair }) => ({ check, told: `${message} ${repair}` }));
    };

    // A file of models with an error, migrations that are missing, and a terminal with wrong settings.
    writeFileSync(join(folder, 'config.yaml'), 'broken:\n  kind: clasification\n');
    const latest = '(SELECT max(migration_name) FROM "_prisma_migrations")';
    const { databaseUrl } = stack.addresses;
    await queryDatabase(
      databaseUrl,
      `UPDATE "_prisma_migrations" SET finished_at = NULL WHERE migration_name = ${latest}`,
    );
    const nobody = await freePort();
    expect(await found({ TEMPORAL_ADDRESS: `127.0.0.1:${nobody}`, DATABASE_URL: 'mydb' })).toEqual([
      { check: 'setting:DATABASE_URL', told: expect.stringContaining('postgresql://user:password@') },
      { check: 'setting:TEMPORAL_ADDRESS', told: expect.stringContaining(`127.0.0.1:${nobody}`) },
      { check: 'dependency:database_schema', told: expect.stringMatching(/1 migrations are pending.*npm run migrate/) },
      {
        check: 'dependency:models_config',
        told: expect.stringMatching(/config\.yaml.*broken\.kind.*Correct the named line/s),
      },
    ]);
    writeFileSync(join(folder, 'config.yaml'), config);
    await queryDatabase(
      databaseUrl,
      `UPDATE "_prisma_migrations" SET finished_at = now() WHERE migration_name = ${latest}`,
    );
  });

  describe('in a running installation of which a part has failed', () => {
    const started: ChildProcess[] = [];
    afterAll(() => {
      for (const child of started) child.kill('SIGKILL');
    });

    interface Found {
      check: string;
      message: string;
      repair: string;
    }
    const findProblems = async () => {
      const { json } = await mlops(['doctor', '--json']);
      return (json['findings'] as (Found & { state: string })[]).filter(({ state }) => state === 'problem');
    };
    /** @returns the problems, once doctor finds these and no others */
    const untilFound = (...checks: string[]) =>
      eventually(
        `doctor to find ${checks.join(', ') || 'nothing'}`,
        async () => {
          const problems = await findProblems();
          const isSo = problems.map(({ check }) => check).join() === checks.join();
          return isSo ? problems : undefined;
        },
        60_000,
      );
    const startAnew = async (part: Part, env: Record<string, string>) => {
      settings[part] = env;
      await stack.stopPart(part);
      await stack.startPart(part);
    };
    /** Starts what the repair names, with the settings of the stack. */
    const start = (repair: string, env: Record<string, string>) => {
      const script = /`node (\S+)`/.exec(repair)![1]!;
      const { databaseUrl, temporal } = stack.addresses;
      const own = { STATE_DIR: stack.stateDir, DATABASE_URL: databaseUrl, TEMPORAL_ADDRESS: temporal };
      started.push(spawn(process.execPath, [join(root, script)], { env: { ...process.env, ...own, ...env } }));
    };

    it('finds a Redis that is away, and a database that does not let the service in', async () => {
      await untilFound();
      if (redis) {
        await redis.kill9();
        const [found] = await untilFound('dependency:redis');
        expect(found!.repair).toContain('Start Redis');
        await redis.startAgain();
        await untilFound();
      }
      const wrong = new URL(stack.addresses.databaseUrl);
      wrong.password = 'wrong';
      await startAnew('api', { DATABASE_URL: wrong.href });
      const [found] = await untilFound('dependency:database');
      expect(found!.message).toContain('password authentication failed');
      expect(found!.repair).toContain('DATABASE_URL');
      await startAnew('api', {});
      await untilFound();
    });

    it('finds a served version whose files are damaged, and lets another answer', async () => {
      const trained = await mlops(['train', 'project_outcome', '--hyperparameters', '{"n_estimators": 12}', '--json']);
      const { version } = trained.json['result'] as { version: string };
      await mlops(['deploy', 'project_outcome', version]);
      const shown = await fetch(`${stack.api}/models/project_outcome/versions/${version}`);
      const { digest } = (await shown.json()) as { digest: string };
      const artifact = join(stack.stateDir, 'models', 'project_outcome', digest);
      const file = join(
        artifact,
        readdirSync(artifact).find((name) => name.endsWith('.model'))!,
      );
      const bytes = readFileSync(file);
      writeFileSync(
        file,
        bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte)),
      );
      await startAnew('api', {});
      const [found] = await untilFound('model:project_outcome');
      expect(found!.message).toContain(`${version} is deployed`);
      const repair = /`mlops (rollback [^`]+)`/.exec(found!.repair)![1]!;
      expect(await mlops(repair.split(' '))).toMatchObject({ code: 0 });
      await untilFound();
    });

    it('finds a Temporal that is away, a worker that is, and workers of another build', async () => {
      await stack.stopPart('training-worker');
      await stack.stopPart('temporal');
      const [away] = await untilFound('dependency:temporal');
      expect(away!.repair).toContain('Start Temporal');
      await stack.startPart('temporal');
      const [absent] = await untilFound('dependency:training_worker', 'queue:training:activity');
      await startAnew('api', { WORKER_BUILD_ID: 'next' });
      start(absent!.repair, { WORKER_BUILD_ID: 'next' });
      const [other] = await untilFound('dependency:worker_release');
      expect(other!.message).toContain('no build of the deployment mlops is current');
      start(REPAIRS['pipeline_worker']!, { WORKER_BUILD_ID: 'next' });
      expect(other!.repair).toContain('`npm run release -- current <build>`');
      const { temporal: TEMPORAL_ADDRESS, databaseUrl: DATABASE_URL } = stack.addresses;
      execFileSync(process.execPath, [compiledScript('commands/release.js'), 'current', 'next'], {
        env: { ...process.env, TEMPORAL_ADDRESS, DATABASE_URL },
      });
      await untilFound();
    });
  });
});
