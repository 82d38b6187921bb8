import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { makeCodeSamples } from '../../../api/code-samples.js';
import { buildOpenApi } from '../../../api/openapi.js';

interface Operation {
  requestBody?: { content: Record<string, { example?: unknown }> };
  'x-codeSamples': { lang: string; source: string }[];
}
const paths = buildOpenApi()['paths'] as Record<string, Record<string, Operation>>;
const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, operation })),
);
const sampleOf = (name: string, lang: string) =>
  operations.find((one) => one.name === name)!.operation['x-codeSamples'].find((one) => one.lang === lang)!.source;

describe('samples of code', () => {
  it('are there for each endpoint in three languages, with the body of its example', () => {
    expect(operations.length).toBeGreaterThan(100);
    for (const { name, operation } of operations) {
      expect(
        operation['x-codeSamples'].map(({ lang }) => lang),
        name,
      ).toEqual(['curl', 'TypeScript', 'Python']);
      const example = operation.requestBody?.content['application/json']?.example as object | undefined;
      for (const key of Object.keys(example ?? {}))
        for (const { source } of operation['x-codeSamples']) expect(source, name).toContain(`"${key}"`);
    }
  });

  it('name paths that can be called, and make what starts work one job', () => {
    expect(sampleOf('post /predict/{model}', 'curl')).toContain('curl -sSf -X POST "$API/predict/user_behavior"');
    expect(sampleOf('post /models/train', 'curl')).toContain('Idempotency-Key');
    expect(sampleOf('post /models/train', 'TypeScript')).toContain('idempotencyKey: crypto.randomUUID()');
    expect(sampleOf('get /whoami', 'TypeScript')).toBe(
      "const client = createClient('http://127.0.0.1:8080');\nconst answer = await client.get('/whoami');",
    );
  });

  it('are texts that a shell and Python take as they were meant', () => {
    const example = { note: 'It\'s $5 \\ "quoted"' };
    const [curl, , python] = makeCodeSamples({ method: 'post', path: '/x', example, isStarting: false });
    const shell = spawnSync('bash', ['-c', `curl() { printf '%s' "\${@: -1}"; }\n${curl!.source}`], {
      encoding: 'utf8',
    });
    expect(JSON.parse(shell.stdout)).toEqual(example);
    const version = spawnSync('python3', ['--version']);
    if (version.status !== 0) return;
    const all = JSON.stringify([
      python!.source,
      ...operations.map(({ operation }) => operation['x-codeSamples'][2]!.source),
    ]);
    const check = spawnSync(
      'python3',
      ['-c', 'import json, sys\nfor one in json.load(sys.stdin): compile(one, "sample", "exec")'],
      {
        input: all,
        encoding: 'utf8',
      },
    );
    expect(check.stderr).toBe('');
  });
});
