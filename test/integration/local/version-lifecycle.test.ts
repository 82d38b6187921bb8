import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { statesAfter, type VersionState } from '../../../core/policy/lifecycle.js';
import type { Role } from '../../../core/roles.js';
import { createPrng } from '../../../ml/random/prng.js';
import type { Database } from '../../../services/database/database.js';
import { abortDeploymentOf, closeDeployment } from '../../../services/deployments/close-deployment.js';
import { openDeployment } from '../../../services/deployments/open-deployment.js';
import { setTrial } from '../../../services/deployments/set-trial.js';
import { NO_TRIAL, switchRoute } from '../../../services/deployments/switch-route.js';
import { projectRoot } from '../../../services/project-root.js';
import { changeState } from '../../../services/registry/change-state.js';
import { deleteVersion } from '../../../services/registry/delete-version.js';
import { refuseUnready } from '../../../services/registry/refuse-unready.js';
import { decideOnVersion } from '../../../services/registry/version-approvals.js';
import { createVersionStore } from '../../../services/registry/version-store.js';
import type { ModelsConfig } from '../../../services/training/models-config.js';
import { INCONSISTENT_STATES } from '../../support/inconsistent-states.js';
import { MigratedDatabase } from '../../support/migrated-database.js';

let server: MigratedDatabase;
let database: Database;
const failPoint = () => undefined;
const approvals = { count: 2, role: 'admin' as const };
const readModelsConfig = () =>
  Promise.resolve({ models: new Map([['guarded', { approvals }]]) } as unknown as ModelsConfig);
const context = () => ({ database, readModelsConfig, failPoint });

beforeAll(async () => {
  server = await MigratedDatabase.start();
  ({ database } = server);
});
afterAll(async () => {
  await server?.stop();
});

const rowOf = (model: string, version: string) => ({
  model,
  version,
  kind: 'classification',
  jobId: `train-${model}-${version}`,
  digest: `digest-${version}`,
  promotable: true,
  verdict: { reason: 'Sound.' },
  parameters: {},
  metrics: {},
  signature: { features: [], heads: [] },
  lineage: {},
});
const register = (model: string, ...versions: string[]) =>
  database.prisma.modelVersion.createMany({ data: versions.map((version) => rowOf(model, version)) });
const stateOf = async (model: string, version: string) =>
  (await createVersionStore(database).find(model, version)).state;
const historyOf = async (model: string, version: string) =>
  (await database.prisma.versionEvent.findMany({ where: { model, version }, orderBy: { id: 'asc' } })).map(
    ({ fromState, toState, subject, reason, deploymentId }) => ({ fromState, toState, subject, reason, deploymentId }),
  );

let jobs = 0;
async function open(model: string, version: string, strategy = 'immediate', requestedBy?: string) {
  const jobId = `deploy-${++jobs}`;
  const request = { model, version, strategy };
  const data = { id: jobId, type: 'deploy', model, status: 'running', request, correlationId: 'c', requestedBy };
  await database.prisma.job.create({ data });
  return openDeployment({ jobId, request }, context());
}
async function deploy(model: string, version: string, requestedBy?: string) {
  const deployment = await open(model, version, 'immediate', requestedBy);
  await switchRoute(deployment, context());
  await closeDeployment({ ...deployment, state: 'promoted', reason: 'All at once.' }, context());
  return deployment;
}

describe('the state of a version', () => {
  it('follows its canary to production and back, and says who, when and why', async () => {
    await register('m', 'v1.0.0', 'v1.1.0');
    const first = await deploy('m', 'v1.0.0', 'ann');
    const trial = await open('m', 'v1.1.0', 'canary', 'bob');
    await setTrial({ ...trial, phase: 'canary', share: 10 }, context());
    await setTrial({ ...trial, phase: 'canary', share: 50 }, context());
    expect([await stateOf('m', 'v1.0.0'), await stateOf('m', 'v1.1.0')]).toEqual(['production', 'canary']);
    await closeDeployment({ ...trial, state: 'rolled_back', reason: 'It did harm.' }, context());
    const again = await open('m', 'v1.1.0', 'shadow', 'cat');
    await setTrial({ ...again, phase: 'shadow', share: 0 }, context());
    await switchRoute(again, context());
    await closeDeployment({ ...again, state: 'promoted' }, context());
    expect(await historyOf('m', 'v1.1.0')).toEqual([
      {
        fromState: null,
        toState: 'registered',
        subject: 'system',
        reason: 'Registered by the job train-m-v1.1.0.',
        deploymentId: null,
      },
      {
        fromState: 'registered',
        toState: 'canary',
        subject: 'bob',
        reason: 'It is on trial: canary.',
        deploymentId: trial.deploymentId,
      },
      {
        fromState: 'canary',
        toState: 'candidate',
        subject: 'bob',
        reason: 'It did harm.',
        deploymentId: trial.deploymentId,
      },
      {
        fromState: 'candidate',
        toState: 'shadow',
        subject: 'cat',
        reason: 'It is on trial: shadow.',
        deploymentId: again.deploymentId,
      },
      {
        fromState: 'shadow',
        toState: 'production',
        subject: 'cat',
        reason: `It has the traffic by the rollout ${again.deploymentId}.`,
        deploymentId: again.deploymentId,
      },
    ]);
    expect((await historyOf('m', 'v1.0.0')).slice(1)).toMatchObject([
      { fromState: 'registered', toState: 'production', subject: 'ann', deploymentId: first.deploymentId },
      {
        fromState: 'production',
        toState: 'retired',
        reason: 'v1.1.0 has the traffic now.',
        deploymentId: again.deploymentId,
      },
    ]);
  });

  it('cannot be changed past its history, and its history cannot be changed', async () => {
    await register('fixed', 'v1.0.0');
    const run = (sql: string) => database.pool.query(sql);
    await expect(run(`UPDATE model_versions SET state = 'production' WHERE model = 'fixed'`)).rejects.toThrow(
      /version_events/,
    );
    for (const sql of [
      `UPDATE version_events SET subject = 'nobody'`,
      'DELETE FROM version_events',
      'TRUNCATE version_events',
      'DELETE FROM version_notes',
      `UPDATE version_approvals SET decision = 'approve'`,
    ])
      await expect(run(sql)).rejects.toThrow(/never changed or removed/);
    expect(await stateOf('fixed', 'v1.0.0')).toBe('registered');
  });

  it(
    'agrees with the route after any sequence of rollouts, ends, rollbacks and requests',
    { timeout: 120_000 },
    async () => {
      const versions = ['v1.0.0', 'v1.1.0', 'v1.2.0', 'v1.3.0'];
      await register('walk', ...versions);
      const prng = createPrng(11, 1);
      const one = <T>(items: readonly T[]) => items[Math.floor(prng.next() * items.length)]!;
      let active: Awaited<ReturnType<typeof open>> | undefined;
      const refused = new Set<string>();
      for (let step = 0; step < 400; step++) {
        const act = active
          ? one(['trial', 'trial', 'trial', 'open', 'switch', 'close', 'abort', 'rollback', 'request'])
          : one(['open', 'open', 'open', 'rollback', 'request']);
        try {
          if (act === 'open') active = await open('walk', one(versions), one(['immediate', 'shadow', 'canary']));
          const { strategy } = active?.plan ?? { strategy: 'immediate' };
          if (act === 'trial' && active && strategy !== 'immediate')
            await setTrial({ ...active, phase: strategy, share: strategy === 'canary' ? one([5, 50]) : 0 }, context());
          if (act === 'switch' && active) await switchRoute(active, context());
          if (act === 'close' && active) {
            const { version } = (await database.prisma.route.findUnique({ where: { model: 'walk' } })) ?? {};
            const state =
              version === active.version
                ? one(['promoted', 'failed'] as const)
                : one(['rolled_back', 'aborted', 'failed'] as const);
            await closeDeployment({ ...active, state, reason: 'Over.' }, context());
            active = undefined;
          }
          if (act === 'abort' && active) await abortDeploymentOf(active.jobId, context());
          if (act === 'rollback') await goBack();
          if (act === 'request')
            await changeState(
              database,
              { model: 'walk', version: one(versions) },
              { state: one(['candidate', 'candidate', 'archived', 'registered', 'retired']), subject: 'ann' },
            );
        } catch (error) {
          refused.add(`${act}: ${(error as { code?: string }).code}`);
        }
        if (act === 'abort' || act === 'rollback') active = undefined;
        expect((await database.pool.query(INCONSISTENT_STATES)).rows, `after step ${step}: ${act}`).toEqual([]);
      }
      // Every refusal was one that callers are told about.
      expect([...refused].filter((name) => !/: (deployment|version)_(conflict|in_use)$/.test(name))).toEqual([]);
      await expectOnlyAllowed('walk');
    },
  );

  /** As `roll-back.ts` does it, which needs the files of real models besides. */
  async function goBack(): Promise<void> {
    await database.prisma.$transaction(async (transaction) => {
      const route = await transaction.route.findUnique({ where: { model: 'walk' } });
      await transaction.deployment.updateMany({
        where: { model: 'walk', finishedAt: null },
        data: { state: 'rolled_back', finishedAt: new Date() },
      });
      if (!route?.previousVersion) return;
      const data = {
        version: route.previousVersion,
        previousVersion: route.version,
        deploymentId: `back-${++jobs}`,
        ...NO_TRIAL,
      };
      await transaction.route.update({ where: { model: 'walk' }, data });
    });
  }

  async function expectOnlyAllowed(model: string): Promise<void> {
    const events = await database.prisma.versionEvent.findMany({ where: { model }, orderBy: { id: 'asc' } });
    const last = new Map<string, string>();
    const served = new Set<string>();
    for (const { version, fromState, toState } of events) {
      expect(fromState).toBe(last.get(version) ?? null);
      last.set(version, toState);
      const from = fromState as VersionState | null;
      const by = (['traffic', 'request'] as const).flatMap((way) =>
        from ? statesAfter(from, { by: way, hasServed: served.has(version) }) : ['registered'],
      );
      expect(by, `${version}: ${from} to ${toState}`).toContain(toState);
      if (toState === 'production') served.add(version);
    }
    expect(new Set(events.map(({ toState }) => toState)).size, 'the walk has come to all states').toBe(7);
  }
});

describe('archiving', () => {
  it('of a version and its deployment at the same moment: one of the two is refused', { timeout: 60_000 }, async () => {
    await register('race', 'v1.0.0');
    const name = { model: 'race', version: 'v1.0.0' };
    const ends = new Set<string>();
    for (let round = 0; round < 25; round++) {
      const [archived, opened] = await Promise.allSettled([
        changeState(database, name, { state: 'archived', subject: 'ann' }),
        open('race', 'v1.0.0'),
      ]);
      ends.add(`${archived.status} ${opened.status}`);
      const { rows } = await database.pool.query(
        `SELECT 1 FROM model_versions v JOIN deployments d USING (model, version) WHERE v.model = 'race' AND v.state = 'archived' AND d.finished_at IS NULL`,
      );
      expect(rows).toEqual([]);
      if (opened.status === 'fulfilled') await abortDeploymentOf(opened.value.jobId, context());
      if (archived.status === 'fulfilled') await changeState(database, name, { state: 'candidate', subject: 'ann' });
    }
    expect(
      [...ends].every((end) => ['fulfilled rejected', 'rejected fulfilled'].includes(end)),
      [...ends].join(),
    ).toBe(true);
  });

  it('is refused for what has the traffic, is on trial, is the way back, or has an alias', async () => {
    await register('used', 'v1.0.0', 'v1.1.0', 'v1.2.0');
    await deploy('used', 'v1.0.0');
    await deploy('used', 'v1.1.0');
    const archive = (version: string) =>
      changeState(database, { model: 'used', version }, { state: 'archived', subject: 'ann' });
    await expect(archive('v1.1.0')).rejects.toMatchObject({
      code: 'version_conflict',
      message: /follow from the traffic/,
    });
    await expect(archive('v1.0.0')).rejects.toMatchObject({ code: 'version_in_use', message: /rollback from v1.1.0/ });
    const trial = await open('used', 'v1.2.0', 'shadow');
    await expect(archive('v1.2.0')).rejects.toMatchObject({ code: 'version_in_use', message: /being rolled out/ });
    await closeDeployment({ ...trial, state: 'aborted' }, context());
    await database.prisma.modelAlias.create({ data: { model: 'used', alias: 'next', version: 'v1.2.0' } });
    await expect(archive('v1.2.0')).rejects.toMatchObject({ code: 'version_in_use', message: /alias next/ });
    await database.prisma.modelAlias.deleteMany({ where: { alias: 'next' } });
    await archive('v1.2.0');
    await archive('v1.2.0');
    expect((await historyOf('used', 'v1.2.0')).filter(({ toState }) => toState === 'archived')).toHaveLength(1);
    await expect(open('used', 'v1.2.0')).rejects.toMatchObject({ code: 'version_conflict' });
    const { items } = await createVersionStore(database).list('used', { limit: 10 });
    expect(items.map(({ version }) => version)).not.toContain('v1.2.0');
  });
});

describe('deleting', () => {
  it('leaves the history, and the files while an equal version needs them', async () => {
    await register('gone', 'v1.0.0');
    await database.prisma.modelVersion.create({ data: { ...rowOf('gone', 'v1.1.0'), digest: 'digest-v1.0.0' } });
    const name = { model: 'gone', version: 'v1.0.0' };
    await deleteVersion({ database, modelStoragePath: server.folder }, name, { subject: 'ann', reason: 'By mistake.' });
    await expect(stateOf('gone', 'v1.0.0')).rejects.toMatchObject({ code: 'version_not_found' });
    expect((await historyOf('gone', 'v1.0.0')).at(-1)).toEqual({
      fromState: 'registered',
      toState: 'deleted',
      subject: 'ann',
      reason: 'By mistake.',
      deploymentId: null,
    });
    await deploy('gone', 'v1.1.0');
    await expect(
      deleteVersion(
        { database, modelStoragePath: server.folder },
        { model: 'gone', version: 'v1.1.0' },
        { subject: 'ann' },
      ),
    ).rejects.toMatchObject({ code: 'version_in_use' });
  });
});

describe('approvals', () => {
  const decide = (subject: string, role: Role, decision: 'approve' | 'reject') =>
    decideOnVersion(
      database,
      { model: 'guarded', version: 'v1.0.0' },
      { decision, rule: approvals, caller: { subject, role } },
    );
  const ready = async () => refuseUnready(await createVersionStore(database).find('guarded', 'v1.0.0'), context());

  it('by two people are what a version needs where its model asks for two', async () => {
    await register('guarded', 'v1.0.0');
    await expect(open('guarded', 'v1.0.0')).rejects.toMatchObject({
      code: 'approval_missing',
      message: expect.stringContaining('lacks 2 of its 2 approvals by a subject with the role admin'),
    });
    await expect(decide('eve', 'operator', 'approve')).rejects.toMatchObject({ code: 'role_insufficient' });
    await decide('ann', 'admin', 'approve');
    await decide('ann', 'admin', 'approve');
    await expect(ready()).rejects.toMatchObject({ message: expect.stringContaining('1 of its 2') });
    await decide('bob', 'admin', 'approve');
    await decide('cat', 'admin', 'reject');
    await expect(ready()).rejects.toMatchObject({ message: expect.stringContaining('the consent of cat') });
    await decide('cat', 'admin', 'approve');
    await ready();
    expect(await database.prisma.versionApproval.count({ where: { model: 'guarded' } })).toBe(4);
    await closeDeployment({ ...(await open('guarded', 'v1.0.0')), state: 'aborted' }, context());
  });
});

describe('the migration', () => {
  it('gives versions of an earlier release the state that their routes say', async () => {
    await database.pool.query('CREATE DATABASE earlier');
    const url = Object.assign(new URL(server.url), { pathname: '/earlier' }).href;
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const migrations = join(projectRoot(), 'prisma', 'migrations');
    const names = readdirSync(migrations).filter((name) => /^\d/.test(name));
    const at = names.indexOf('20261128150000_lifecycle');
    const run = (name: string) => client.query(readFileSync(join(migrations, name, 'migration.sql'), 'utf8'));
    for (const name of names.slice(0, at)) await run(name);
    for (const version of ['v1', 'v2', 'v3', 'v4'])
      await client.query(
        `INSERT INTO model_versions (model, version, kind, job_id, digest, promotable, verdict, parameters, metrics, signature, lineage)
         VALUES ('m', $1, 'k', $1, 'd', true, '{}', '{}', '{}', '{}', '{}')`,
        [version],
      );
    const route = (version: string) =>
      client.query(
        `INSERT INTO routes (model, version, deployment_id) VALUES ('m', $1, 'd') ON CONFLICT (model) DO UPDATE SET version = $1`,
        [version],
      );
    for (const version of ['v1', 'v2', 'v3']) await route(version);
    await client.query(`UPDATE routes SET candidate_version = 'v2', phase = 'canary', share = 5, rollout_id = 'd'`);
    await run(names[at]!);
    const states = async () =>
      (await client.query<{ state: string }>('SELECT state FROM model_versions ORDER BY version')).rows.map(
        ({ state }) => state,
      );
    expect(await states()).toEqual(['retired', 'canary', 'production', 'registered']);
    expect((await client.query(INCONSISTENT_STATES)).rows).toEqual([]);
    // A version on trial that has served before is retired, and not a candidate, when the trial ends.
    await client.query(`UPDATE routes SET candidate_version = NULL, phase = NULL, share = 0, rollout_id = NULL`);
    expect(await states()).toEqual(['retired', 'retired', 'production', 'registered']);
    await client.end();
  });
});
