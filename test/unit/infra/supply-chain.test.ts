import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-supply-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (script: string, ...args: string[]) =>
  spawnSync(process.execPath, [`infra/supply-chain/${script}`, ...args], { encoding: 'utf8' });

describe('the bill of materials', () => {
  it(
    'names what the service runs with and not what it is built with, and is held to the schema of CycloneDX',
    { timeout: 240_000 },
    () => {
      const path = join(folder, 'sbom.json');
      expect(run('make-sbom.mjs', path)).toMatchObject({
        status: 0,
        stdout: expect.stringContaining('fits') as string,
      });
      const text = readFileSync(path, 'utf8');
      const { components, metadata } = JSON.parse(text) as {
        components: { name: string; version: string }[];
        metadata: { component: { name: string } };
      };
      expect(metadata.component.name).toBe('ml-pipeline-service');
      const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
        dependencies: Record<string, string>;
      };
      const named = new Set(components.map(({ name, version }) => `${name}@${version}`));
      const needed = Object.entries(dependencies).map((entry) => entry.join('@'));
      expect(needed.filter((one) => !named.has(one))).toEqual([]);
      expect(components.map(({ name }) => name)).not.toContain('vitest');
      writeFileSync(path, text.replace('"bomFormat"', '"unknown": 1, "bomFormat"'));
      expect(run('make-sbom.mjs', '--check', path)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('does not fit') as string,
      });
    },
  );
});

describe('the audit of dependencies', () => {
  const audit = (report: object) => {
    const path = join(folder, 'audit.json');
    writeFileSync(path, JSON.stringify(report));
    const { status, stdout, stderr } = run('audit-dependencies.mjs', '--report', path);
    return { status, text: stdout + stderr };
  };
  const hole = (severity: string) => ({
    vulnerabilities: {
      tar: {
        name: 'tar',
        severity,
        range: '<6.1',
        via: [{ title: 'Writes elsewhere', url: 'https://a.test/1' }],
        fixAvailable: true,
      },
    },
  });

  it('fails for a hole of high severity, and tells of others', () => {
    expect(audit(hole('critical')).status).toBe(1);
    expect(audit(hole('high'))).toEqual({
      status: 1,
      text: 'high: tar <6.1: Writes elsewhere https://a.test/1 (a release mends it)\n',
    });
    expect(audit(hole('moderate')).status).toBe(0);
    expect(audit({ vulnerabilities: {} })).toEqual({ status: 0, text: 'No known holes.\n' });
  });

  it('says that it knows nothing where the registry does not answer, and does not call that well', () => {
    const { status, text } = audit({ message: '405 Method Not Allowed' });
    expect(status).toBe(2);
    expect(text).toContain('405 Method Not Allowed');
  });
});
