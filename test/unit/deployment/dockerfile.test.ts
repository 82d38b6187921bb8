import { describe, expect, it } from 'vitest';
import { hasDeploymentTools, readRootFile, runTool } from '../../support/deployment-tools.js';
import { createIgnore, parseDockerfile } from '../../support/dockerfile.js';

const path = 'infra/docker/Dockerfile';
const { preamble, stages } = parseDockerfile(readRootFile(path));
const service = stages.at(-1)!;
const of = (name: string) => service.instructions.filter((one) => one.name === name).map(({ text }) => text);

describe('the Dockerfile', () => {
  it.skipIf(!hasDeploymentTools())('passes its linter without exceptions', () => {
    expect(runTool('hadolint', [path])).toEqual({ code: 0, told: '' });
    expect(readRootFile(path)).not.toContain('hadolint ignore');
  });

  it('pins what it is built from, and lets it be replaced', () => {
    expect(preamble).toEqual([
      { name: 'ARG', text: expect.stringMatching(/^NODE_IMAGE=node:\d+\.\d+\.\d+-[a-z]+-slim$/) },
    ]);
    for (const { from } of stages) expect(['${NODE_IMAGE}', 'base']).toContain(from);
  });

  it('ends with a stage that runs nothing, has no tools, and is nobody', () => {
    expect(of('RUN')).toEqual([]);
    expect(service.from).toBe('base');
    const base = stages.find(({ name }) => name === 'base');
    for (const tool of ['npm', 'npx', 'yarn', 'corepack'])
      expect(base!.instructions[0]!.text).toContain(`/usr/local/bin/${tool}`);
    expect(of('USER')).toEqual(['10001:10001']);
    expect(of('HEALTHCHECK')[0]).toContain('check-health.mjs');
    expect(of('COPY').filter((text) => text.includes('--chown'))).toEqual([]);
  });

  it('runs no script of a package while it is built', () => {
    const install = stages[0]!.instructions.find(({ text }) => text.startsWith('npm ci '));
    expect(install!.text).toContain('--ignore-scripts');
  });

  it('lets no secret and no state into its context', () => {
    const isIgnored = createIgnore(readRootFile('.dockerignore'));
    for (const secret of [
      '.env',
      'infra/docker/.env.local',
      '.git/config',
      '.state/postgres/password',
      'dist/api/server.js',
    ])
      expect(isIgnored(secret), secret).toBe(true);
    expect(isIgnored('services/database/generated/client.ts')).toBe(true);
    expect(isIgnored('node_modules/zod/package.json')).toBe(true);
    expect(isIgnored('services/config.ts')).toBe(false);
  });
});
