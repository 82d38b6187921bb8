import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { connect, getIfKnown } from '../../../cli/connection.js';
import { EXIT } from '../../../cli/exit-codes.js';
import { followJob } from '../../../cli/follow-job.js';
import { createTerminal } from '../../../cli/terminal.js';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A server that answers as it is told, to be called over a real socket. */
async function listen(listener: RequestListener): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((done) => server!.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const to = (url: string, token?: string) => connect({ url, token, origin: 'flag' });
const problem = (status: number, code: string, detail: string) =>
  JSON.stringify({ type: `urn:problem:${code}`, status, detail });

describe('the way to a service', () => {
  it('sends the token of the caller with every call', async () => {
    const url = await listen((request, response) =>
      response.end(JSON.stringify({ said: request.headers.authorization })),
    );
    expect(await to(url, 'secret').get('/anything')).toEqual({ said: 'Bearer secret' });
    expect(await to(url).get('/anything')).toEqual({});
  });

  it('tells of a path that an older service does not have from a thing that is not there', async () => {
    const codes: Record<string, string> = { '/alerts': 'resource_not_found', '/jobs/x': 'job_not_found' };
    const url = await listen((request, response) =>
      response.writeHead(404).end(problem(404, codes[request.url ?? '']!, 'no')),
    );
    await expect(getIfKnown(to(url), '/alerts')).rejects.toMatchObject({
      code: 'not_available',
      exitCode: EXIT.refused,
    });
    await expect(getIfKnown(to(url), '/jobs/x')).rejects.toMatchObject({ code: 'job_not_found', status: 404 });
  });

  it('says what to do when nothing listens', async () => {
    const url = await listen(() => undefined);
    server!.close();
    await new Promise((done) => server!.once('close', done));
    await expect(to(url).get('/health')).rejects.toMatchObject({
      exitCode: EXIT.unreachable,
      hint: expect.stringContaining('npm start'),
    });
  });

  it('follows a job through a stream that is cut and a service that is away for a moment', async () => {
    const status = (progress: number, state: string) =>
      `event: status\ndata: ${JSON.stringify({ job_id: 'j', status: state, stage: 'fit', progress, eta_seconds: null })}\n\n`;
    let streams = 0;
    const url = await listen((request, response) => {
      if (!request.url!.endsWith('/events'))
        return void response.end(JSON.stringify({ job_id: 'j', status: 'completed' }));
      streams++;
      if (streams === 1) return void response.write(status(0.2, 'running'), () => response.destroy());
      if (streams === 2) return void response.writeHead(503).end(problem(503, 'dependency_unavailable', 'away'));
      response.end(status(1, 'completed'));
    });
    const written: string[] = [];
    const terminal = createTerminal(false, { write: () => true }, { write: (text) => written.push(text) });
    expect(await followJob(to(url), terminal, 'j')).toEqual({ job_id: 'j', status: 'completed' });
    expect(streams).toBe(3);
    expect(written[0]).toContain(' 20 %  fit');
  });

  it('does not follow what it may not see', async () => {
    const url = await listen((_request, response) =>
      response.writeHead(403).end(problem(403, 'role_insufficient', 'no')),
    );
    await expect(followJob(to(url), createTerminal(true), 'j')).rejects.toMatchObject({ status: 403 });
  });
});
