import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { examineMachine } from '../../../cli/doctor/examine-machine.js';
import { connect } from '../../../cli/connection.js';
import { examineService, judgeDependency, judgeModel, REPAIRS } from '../../../cli/doctor/examine-service.js';
import { examineGivenServers, examineLog, examineState } from '../../../cli/doctor/examine-state.js';
import { findStuckJobs, judgeSpools, readWaiting } from '../../../cli/doctor/examine-work.js';
import { judgeClock, judgeDisk, judgeNode } from '../../../cli/doctor/finding.js';
import { freePort } from '../../../infra/local/free-port.js';
import { DOWN } from '../../../services/health/degraded-states.js';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const job = (change: object) => ({
  job_id: 'train-1',
  type: 'train',
  stage: 'fit',
  status: 'running',
  created_at: '2026-03-01T11:59:00Z',
  started_at: '2026-03-01T11:59:00Z',
  ...change,
});

describe('what doctor finds', () => {
  it('asks for a newer Node where the package needs one', () => {
    expect(judgeNode('20.18.9', '>=20.19')).toMatchObject({
      state: 'problem',
      repair: expect.stringContaining('nodejs.org'),
    });
    expect(['20.19.0', '22.1.0'].map((version) => judgeNode(version, '>=20.19').state)).toEqual(['ok', 'ok']);
  });

  it('tells of a disk before it is full', () => {
    const gib = 2 ** 30;
    expect([5, 1, 0.1].map((free) => judgeDisk('disk_space', '/data', free * gib).state)).toEqual([
      'ok',
      'warning',
      'problem',
    ]);
  });

  it('tells a wrong clock from a slow answer', () => {
    const date = 'Sun, 01 Mar 2026 12:00:00 GMT';
    expect(judgeClock(date, NOW, NOW + 400)?.state).toBe('ok');
    expect(judgeClock(date, NOW - 55_000, NOW + 5000)?.state).toBe('ok');
    expect(judgeClock(date, NOW - 100_000, NOW - 99_000)?.message).toContain('99 s ahead of');
    expect(judgeClock(date, NOW + 100_000, NOW + 100_100)?.message).toContain('99 s behind');
    expect(judgeClock(null, NOW, NOW)).toBeUndefined();
  });

  it('names jobs that wait or take too long, and leaves those alone that may take days', () => {
    const old = { started_at: '2026-03-01T06:00:00Z' };
    const jobs = [
      job({}),
      job({ ...old, job_id: 'slow' }),
      job({ ...old, type: 'deploy' }),
      job({ ...old, stage: 'paused' }),
      job({ job_id: 'waits', status: 'queued', started_at: null, created_at: '2026-03-01T11:50:00Z' }),
    ];
    expect(findStuckJobs(jobs, NOW).map(({ check, message }) => [check, message])).toEqual([
      ['job:slow', 'at fit for 6 h 0 min in all'],
      ['job:waits', 'queued for 10 min 0 s'],
    ]);
  });

  it('knows a spool that is drained from one that is not', () => {
    const metrics =
      '# HELP x\nmlops_prediction_log_buffered_rows 5\nmlops_events_waiting_rows{process="1"} 2\nmlops_events_waiting_rows{process="2"} 1\n';
    expect(readWaiting(metrics)).toEqual({ predictions: 5, events: 3 });
    const states = (before: object, after: object) =>
      judgeSpools(before as never, after as never).map(({ state }) => state);
    expect(states({ predictions: 5 }, { predictions: 5 })).toEqual(['warning']);
    expect(states({ predictions: 5 }, { predictions: 4, events: 0 })).toEqual(['ok', 'ok']);
  });
});

describe('what doctor finds of an installation that does not answer', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mlops-doctor-'));
  const other = createServer((_request, response) => response.end('another program'));
  let taken: number;
  let free: number;
  beforeAll(async () => {
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    taken = (other.address() as AddressInfo).port;
    free = await freePort();
  });
  afterAll(() => {
    other.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const portOf = async (port: number) => {
    const found = await examineMachine({ url: `http://127.0.0.1:${port}`, origin: '--url' } as never);
    return found.find(({ check }) => check === 'port');
  };

  it('is a port that nobody or another program has', async () => {
    expect(await portOf(free)).toMatchObject({ state: 'problem', repair: expect.stringContaining('npm start') });
    expect(await portOf(taken)).toMatchObject({
      state: 'warning',
      message: expect.stringContaining('another program'),
    });
  });

  it.each([
    [401, 'mlops login --token-stdin'],
    [403, 'the role viewer'],
  ])('is a token that the service refuses with %i', async (status, repair) => {
    const refusing = createServer((_request, response) => {
      response.writeHead(status, { 'content-type': 'application/problem+json' });
      response.end(
        JSON.stringify({ type: 'urn:problem:refused', title: 'Refused', status, detail: 'Not with this token.' }),
      );
    });
    await new Promise<void>((done) => refusing.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${(refusing.address() as AddressInfo).port}`;
    try {
      const { findings } = await examineService(connect({ url, token: 'wrong', origin: 'flag' }));
      expect(findings).toEqual([
        { check: 'access', state: 'problem', message: 'Not with this token.', repair: expect.stringContaining(repair) },
      ]);
    } finally {
      refusing.close();
    }
  });

  it('is a state folder that is a file, or below one', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    for (const place of [file, join(file, 'below/it')]) {
      const [found] = await examineState(place);
      expect(found).toMatchObject({
        check: 'state_folder',
        state: 'problem',
        repair: expect.stringContaining('--state-dir'),
      });
      expect(found!.message).toContain(`${file} is a file`);
    }
    expect((await examineState(join(folder, 'new/one')))[0]).toMatchObject({ state: 'ok' });
  });

  it('is a setting that names no server, or one that is not there', async () => {
    const states = async (env: object) =>
      (await examineGivenServers(env as never)).map(({ check, state }) => [check, state]);
    expect(await states({ DATABASE_URL: '' })).toEqual([]);
    expect(
      await states({
        DATABASE_URL: 'localhost/db',
        TEMPORAL_ADDRESS: `127.0.0.1:${free}`,
        REDIS_URL: `redis://127.0.0.1:${taken}/0`,
      }),
    ).toEqual([
      ['setting:DATABASE_URL', 'problem'],
      ['setting:TEMPORAL_ADDRESS', 'problem'],
      ['setting:REDIS_URL', 'ok'],
    ]);
    const [wrong] = await examineGivenServers({ DATABASE_URL: `postgresql://u:secret@127.0.0.1:${free}/db` });
    expect(wrong?.message).toContain(`127.0.0.1:${free}`);
    expect(JSON.stringify(wrong)).not.toContain('secret');
  });

  it('is what the API has said last before it ended', () => {
    mkdirSync(join(folder, 'logs'));
    const log = join(folder, 'logs/api.log');
    expect(examineLog(folder)).toEqual([]);
    writeFileSync(log, '{"level":"info","message":"api is ready"}\n');
    expect(examineLog(folder)).toEqual([]);
    writeFileSync(
      log,
      '{"level":"error","message":"it ends","err":{"message":"no way"}}\n{"level":"info","message":"x"}\n',
    );
    expect(examineLog(folder)[0]?.message).toBe('the API has said last: it ends: no way');
    writeFileSync(log, 'DATABASE_URL is no address of a PostgreSQL.\n    at somewhere\n');
    expect(examineLog(folder)[0]?.message).toContain('DATABASE_URL is no address');
  });
});

describe('what doctor finds of a service that answers', () => {
  it('has a repair for each dependency that can be down', () => {
    expect(Object.keys(DOWN).filter((name) => !(name in REPAIRS))).toEqual([]);
    expect(REPAIRS['worker_release']).toContain('npm run release');
  });

  it('is what is away, and not what is only asked through it', () => {
    const found = (status: 'up' | 'down') => ({
      status,
      latency_ms: 1,
      affects: 'jobs',
      error: 'no',
      last_error: null,
    });
    const judge = (name: string, temporal: 'up' | 'down') =>
      judgeDependency(name, found('down'), { dependencies: { temporal: found(temporal), [name]: found('down') } });
    expect(judge('pipeline_worker', 'up')).toMatchObject({ state: 'problem', repair: REPAIRS['pipeline_worker'] });
    expect(judge('pipeline_worker', 'down')).toMatchObject({
      state: 'warning',
      message: expect.stringContaining('while temporal is away'),
      repair: 'Mend dependency:temporal first.',
    });
  });

  it('is a version that is deployed and cannot be loaded', () => {
    const found = (version: string | null, loaded: string | null) =>
      judgeModel({ model: 'm', serving: { version, loaded_version: loaded } });
    expect([found(null, null), found('v1.0.0', 'v1.0.0')]).toEqual([[], []]);
    expect(found('v1.1.0', 'v1.0.0')[0]).toMatchObject({ check: 'model:m', state: 'problem' });
    expect(found('v1.1.0', null)[0]?.message).toContain('no version answers');
    expect(found('v1.1.0', null)[0]?.repair).toContain('mlops rollback m');
  });
});
