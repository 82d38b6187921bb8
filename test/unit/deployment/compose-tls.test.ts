import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { TestAuthority } from '../../../infra/local/test-authority.js';
import { projectRoot } from '../../../services/project-root.js';
import { hasDeploymentTools, isSetting, readRootFile, runTool } from '../../support/deployment-tools.js';

interface Service {
  image?: string;
  command?: string[];
  environment?: Record<string, string>;
  volumes?: string[];
  depends_on?: Record<string, { condition: string }> | string[];
  [key: string]: unknown;
}
interface Compose {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
}

const VARIABLE = /\$\{(\w+):-([^}]*)\}/g;
const read = (path: string) => parse(readRootFile(path).replaceAll(VARIABLE, '$2'), { merge: true }) as Compose;
const [base, overlay] = [read('infra/compose.yaml'), read('infra/compose.tls.yaml')];
const targetOf = (volume: string) => volume.split(':')[1]!;

const conditionsOf = ({ depends_on: needs = {} }: Service): Record<string, { condition: string }> =>
  Array.isArray(needs) ? Object.fromEntries(needs.map((name) => [name, { condition: 'service_started' }])) : needs;

/** As Compose puts a second file on the first: variables and conditions by name, volumes by their place, all else as a whole. */
function mergeService(one: Service = {}, other: Service): Service {
  const places = new Set((other.volumes ?? []).map(targetOf));
  return {
    ...one,
    ...other,
    environment: { ...one.environment, ...other.environment },
    depends_on: { ...conditionsOf(one), ...conditionsOf(other) },
    volumes: [...(one.volumes ?? []).filter((volume) => !places.has(targetOf(volume))), ...(other.volumes ?? [])],
  };
}
const services: Record<string, Service> = { ...base.services };
for (const [name, service] of Object.entries(overlay.services))
  services[name] = mergeService(base.services[name], service);
const volumes = { ...base.volumes, ...overlay.volumes };
const OWN = ['api', 'pipeline-worker', 'training-worker', 'migrate', 'scrape-token'];
const PARSE = 'import sys, compose_spec; compose_spec._PyCompose.from_json(sys.stdin.read()).validate()';

const folder = mkdtempSync(join(tmpdir(), 'mlops-compose-tls-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('infra/compose.tls.yaml', () => {
  it.skipIf(!hasDeploymentTools())('is what the Compose specification allows, on top of compose.yaml', () => {
    expect(runTool('python', ['-c', PARSE], JSON.stringify({ services, volumes }))).toEqual({ code: 0, told: '' });
  });

  it('sets nothing that the service does not know, and names services, volumes and files that exist', () => {
    for (const name of OWN)
      expect(
        Object.keys(services[name]!.environment!).filter((variable) => !isSetting(variable)),
        name,
      ).toEqual([]);
    for (const [name, { volumes: own = [], depends_on: needs = {}, image }] of Object.entries(services)) {
      expect(image, name).toMatch(/:v?\d[\w.-]*$/);
      for (const need of Array.isArray(needs) ? needs : Object.keys(needs)) expect(services, name).toHaveProperty(need);
      for (const [source] of own.map((volume) => volume.split(':')))
        if (source!.startsWith('./')) expect(existsSync(join(projectRoot(), 'infra', source!)), source).toBe(true);
        else if (!source!.startsWith('..')) expect(volumes, name).toHaveProperty(source!);
    }
  });

  it('takes each variable from .env.example, which tells its default', () => {
    const example = readRootFile('.env.example');
    for (const [, name, fallback] of readRootFile('infra/compose.tls.yaml').matchAll(VARIABLE))
      expect(example, name).toMatch(new RegExp(`^# ${name}=${fallback}$`, 'm'));
  });

  it('leaves no connection of the service without TLS, and has the other end checked on both sides', () => {
    for (const name of OWN) {
      const { environment = {} } = services[name]!;
      const database = new URL(environment['DATABASE_URL']!);
      expect(Object.fromEntries(database.searchParams), name).toEqual({
        sslmode: 'verify-full',
        sslrootcert: '/tls/ca.pem',
        sslcert: '/tls/service.pem',
        sslkey: '/tls/service-key.pem',
      });
      expect(environment['REDIS_URL']).toMatch(/^rediss:/);
      expect(environment['API_BASE_URL']).toMatch(/^https:/);
      for (const server of ['REDIS', 'TEMPORAL'])
        expect(['CA', 'CERT', 'KEY'].map((part) => environment[`${server}_TLS_${part}`])).toEqual([
          '/tls/ca.pem',
          '/tls/service.pem',
          '/tls/service-key.pem',
        ]);
    }
    const redis = services['redis']!.command!;
    for (const [flag, value] of [
      ['--port', '0'],
      ['--tls-auth-clients', 'yes'],
    ] as const)
      expect(redis[redis.indexOf(flag) + 1]).toBe(value);
    expect(services['postgres']!.command).toContain('ssl=on');
    const rules = readRootFile('infra/compose/pg_hba.tls.conf')
      .split('\n')
      .filter((line) => /^\w/.test(line));
    expect(rules.map((line) => line.split(/\s+/)[0])).toEqual(['local', 'hostssl']);
    expect(services['temporal']!.environment).toMatchObject({
      TEMPORAL_TLS_REQUIRE_CLIENT_AUTH: 'true',
      SQL_TLS_ENABLED: 'true',
      SQL_HOST_VERIFICATION: 'true',
    });
  });

  it('gives every server and client the files that its settings name, from what the test authority makes', async () => {
    const authority = await TestAuthority.create(join(folder, 'from'));
    for (const name of ['server', 'service']) await authority.issue({ name });
    const { command, volumes: given } = services['certificates']!;
    const targets = new Map(given!.slice(1).map((volume) => volume.split(':') as [string, string]));
    for (const target of targets.values()) mkdirSync(join(folder, target), { recursive: true });
    // Owners are those of the images, and only root may give files away.
    const script = command![0]!
      .replaceAll('$$', '$')
      .replaceAll(/-o "\$1" -g "\$1"/g, '')
      .replaceAll(/(?<=[ "])\/(from|to)/g, `${folder}/$1`);
    execFileSync('/bin/sh', ['-euc', script]);
    for (const [name, service] of Object.entries(services)) {
      if (name === 'certificates') continue;
      const places = new Map((service.volumes ?? []).map((volume) => [targetOf(volume), volume.split(':')[0]!]));
      const said = JSON.stringify([service.environment, service.command, service['healthcheck']]);
      for (const [, place, file] of said.matchAll(/(\/tls[\w-]*)\/([\w-]+\.pem)/g)) {
        const volume = targets.get(places.get(place!)!);
        expect(volume, `${name} ${place}`).toBeDefined();
        expect(existsSync(join(folder, volume!, file!)), `${name} ${place}/${file}`).toBe(true);
      }
    }
  });

  it('has Prometheus ask the API over TLS, and everything else as without', () => {
    const jobs = (path: string) =>
      (parse(readRootFile(path)) as { scrape_configs: Record<string, unknown>[] }).scrape_configs;
    const [api, ...rest] = jobs('infra/compose/prometheus.tls.yml');
    const { scheme, tls_config: tls, ...same } = api!;
    expect([same, ...rest]).toEqual(jobs('infra/compose/prometheus.yml'));
    expect([scheme, tls]).toEqual(['https', { ca_file: '/tls/ca.pem' }]);
  });
});
