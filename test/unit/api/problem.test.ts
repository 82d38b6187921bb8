import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { sendProblem } from '../../../api/middleware/problem.js';
import { ServiceError } from '../../../core/errors.js';

it('a problem is told in the same way before Express has seen the request, and to the Open Inference Protocol in its own', async () => {
  const server = createServer((request, response) => {
    response.setHeader('X-Correlation-Id', 'call-1');
    sendProblem(request, response, new ServiceError('request_invalid', 'No.', [{ path: 'a', message: 'no' }], 3));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const ask = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
    const header = (name: string) => answer.headers.get(name);
    return [answer.status, header('content-type'), header('retry-after'), await answer.json()];
  };
  try {
    expect(await ask('/data/uploads?secret=1')).toEqual([
      422,
      'application/problem+json; charset=utf-8',
      '3',
      {
        type: 'urn:problem:request_invalid',
        title: expect.any(String),
        status: 422,
        detail: 'No.',
        instance: '/data/uploads',
        correlation_id: 'call-1',
        errors: [{ path: 'a', message: 'no' }],
      },
    ]);
    expect(await ask('/v2/models/x/infer')).toEqual([400, 'application/json; charset=utf-8', '3', { error: 'No.' }]);
  } finally {
    server.close();
  }
});
