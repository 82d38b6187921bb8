import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { checkDiskSpace } from '../../../infra/local/check-disk-space.js';
import { checkGivenServers } from '../../../infra/local/check-given-servers.js';
import { freePort } from '../../../infra/local/free-port.js';

const refuse = async (env: NodeJS.ProcessEnv): Promise<string> => {
  const failure = await checkGivenServers(env, () => undefined).then(
    () => undefined,
    (error: Error) => error,
  );
  return failure?.message ?? 'was taken';
};

describe('servers that settings name', () => {
  it('are looked for before anything starts, and the message names the setting, what is wrong and what to do', async () => {
    const port = await freePort();
    const database = await refuse({ DATABASE_URL: `postgresql://someone:hush@127.0.0.1:${port}/ml` });
    expect(database).toMatch(/127\.0\.0\.1:\d+ \(DATABASE_URL\) cannot be reached \(ECONNREFUSED\)\. Start it/);
    expect(database).not.toContain('hush');
    expect(await refuse({ DATABASE_URL: 'mysql://x/y' })).toContain('postgresql://user:password@host:5432/database');
    expect(await refuse({ DATABASE_URL: 'nonsense' })).toContain('unset it');
    expect(await refuse({ TEMPORAL_ADDRESS: `127.0.0.1:${port}` })).toContain('(TEMPORAL_ADDRESS) cannot be reached');
    for (const address of ['127.0.0.1', 'http://127.0.0.1:7233', ':7233', '127.0.0.1:99999'])
      expect(await refuse({ TEMPORAL_ADDRESS: address })).toContain('such as 127.0.0.1:7233');
  });

  it('are taken where something listens, and a cache that is away is only told of', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    const { port } = await new Promise<{ port: number }>((resolve) =>
      server.once('listening', () => resolve(server.address() as { port: number })),
    );
    expect(await refuse({ TEMPORAL_ADDRESS: `127.0.0.1:${port}`, REDIS_URL: `redis://127.0.0.1:${port}` })).toBe(
      'was taken',
    );
    server.close();
    const told: string[] = [];
    await checkGivenServers({ REDIS_URL: `redis://:hush@127.0.0.1:${await freePort()}` }, (line) => told.push(line));
    expect(told).toEqual([expect.stringMatching(/^Redis at 127\.0\.0\.1:\d+ \(REDIS_URL\) cannot be reached/)]);
  });

  it('are not looked for where none are named', async () => {
    expect(await refuse({})).toBe('was taken');
  });
});

describe('the room for the state', () => {
  it('is looked at where the folder is or will be, and too little of it is refused with another way', () => {
    expect(() => checkDiskSpace('/nowhere/yet', () => 2 ** 30)).not.toThrow();
    expect(() => checkDiskSpace('/nowhere/yet', () => 30 * 2 ** 20)).toThrow(/Only 30 MiB .*--state-dir/);
  });
});
