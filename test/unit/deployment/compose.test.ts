import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { refuseUnknownRoutes } from '../../../api/rate-limiter.js';
import { ALL_ROUTES } from '../../../api/routes/index-of-routes.js';
import { routeRates } from '../../../services/limits/route-rates.js';
import { projectRoot } from '../../../services/project-root.js';
import { hasDeploymentTools, isSetting, readRootFile, runTool } from '../../support/deployment-tools.js';

interface Service {
  image: string;
  restart?: string;
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  depends_on?: Record<string, { condition: string }> | string[];
  healthcheck?: object;
  [key: string]: unknown;
}

const text = readRootFile('infra/compose.yaml');
const VARIABLE = /\$\{(\w+):-([^}]*)\}/g;
const compose = parse(
  text.replaceAll(VARIABLE, (_, _name, fallback: string) => fallback),
  { merge: true },
) as { services: Record<string, Service>; volumes: Record<string, unknown> };
const services = Object.entries(compose.services);
const own = services.filter(([, { image }]) => image.startsWith('ml-pipeline-service:'));

/** Parses it as Compose does, every unknown key refused. */
const PARSE = 'import sys, compose_spec; compose_spec._PyCompose.from_json(sys.stdin.read()).validate()';

describe('infra/compose.yaml', () => {
  it.skipIf(!hasDeploymentTools())('is what the Compose specification allows', () => {
    const plain = Object.fromEntries(Object.entries(compose).filter(([name]) => !name.startsWith('x-')));
    expect(runTool('python', ['-c', PARSE], JSON.stringify(plain))).toEqual({ code: 0, told: '' });
    const wrong = { ...plain, services: { api: { ...compose.services['api'], imagee: 'x' } } };
    expect(runTool('python', ['-c', PARSE], JSON.stringify(wrong)).told).toContain('imagee');
  });

  it('listens where the documents say, on this machine only', () => {
    const ports = services.flatMap(([name, { ports: own = [] }]) => own.map((port) => `${name} ${port}`));
    expect(ports.sort()).toEqual([
      'api 127.0.0.1:8080:8080',
      'grafana 127.0.0.1:3001:3000',
      'jupyter 127.0.0.1:8888:8888',
      'mlflow 127.0.0.1:5000:5000',
      'prometheus 127.0.0.1:9090:9090',
      'temporal-ui 127.0.0.1:5555:8080',
    ]);
  });

  it('takes each variable from .env.example, which tells its default', () => {
    const example = readRootFile('.env.example');
    for (const [, name, fallback] of text.matchAll(VARIABLE))
      expect(example, name).toMatch(new RegExp(`^# ${name}=${fallback ? `${fallback}$` : ''}`, 'm'));
    expect(text.replaceAll(VARIABLE, '')).not.toMatch(/[^$]\$\{/);
  });

  it('holds callers to a rate, and what costs much to one of its own', () => {
    const { RATE_LIMIT, RATE_LIMIT_ROUTES } = compose.services['api']!.environment!;
    refuseUnknownRoutes(routeRates.parse(RATE_LIMIT_ROUTES), ALL_ROUTES);
    expect(Number(RATE_LIMIT)).toBeGreaterThan(0);
  });

  it('sets nothing that the service does not know', () => {
    for (const [name, { environment = {} }] of own)
      expect(
        Object.keys(environment).filter((variable) => !isSetting(variable)),
        name,
      ).toEqual([]);
  });

  it('names services, volumes and files that exist', () => {
    for (const [name, { volumes = [], depends_on: needs = {} }] of services) {
      for (const need of Array.isArray(needs) ? needs : Object.keys(needs))
        expect(compose.services, name).toHaveProperty(need);
      for (const [source] of volumes.map((volume) => volume.split(':')))
        if (source!.startsWith('.')) expect(existsSync(join(projectRoot(), 'infra', source!)), source).toBe(true);
        else expect(compose.volumes, name).toHaveProperty(source!);
    }
    for (const [name, { depends_on: needs = {} }] of services)
      for (const [need, { condition }] of Array.isArray(needs) ? [] : Object.entries(needs))
        if (condition === 'service_healthy')
          expect(compose.services[need]!.healthcheck, `${name} needs ${need}`).toBeDefined();
  });

  it('pins every image, limits every memory, and gives nobody more rights than it has', () => {
    for (const [name, service] of services) {
      expect(service.image, name).toMatch(/:v?\d[\w.-]*$/);
      if (service.restart !== 'on-failure') expect(service, name).toHaveProperty('deploy.resources.limits.memory');
      expect(service, name).toMatchObject({ security_opt: ['no-new-privileges:true'] });
      expect(service, name).not.toHaveProperty('privileged');
    }
    for (const [name, service] of own)
      expect(service, name).toMatchObject({ read_only: true, cap_drop: ['ALL'], stop_grace_period: '45s' });
  });

  it('keeps what each process has on its way in a volume of its own', () => {
    const states = own.flatMap(([, { volumes = [] }]) => volumes.filter((volume) => volume.endsWith(':/app/state')));
    expect(states).toHaveLength(new Set(states).size);
    expect(states).toHaveLength(own.length - 1);
    for (const [, { environment = {} }] of own) expect(environment['AUTH_REQUIRED']).toBe('true');
  });

  it('gives Prometheus the token of a viewer, which it may read', () => {
    const { command = [], volumes } = compose.services['scrape-token']!;
    expect(command.slice(0, 2)).toEqual(['token', 'create']);
    expect(command[command.indexOf('--role') + 1]).toBe('viewer');
    expect([command.at(-1), volumes]).toEqual(['/app/state/token', ['scrape-token:/app/state']]);
    expect(compose.services['prometheus']).toMatchObject({
      group_add: ['10001'],
      volumes: expect.arrayContaining(['scrape-token:/etc/prometheus/token:ro']),
    });
    const { scrape_configs: jobs } = parse(readRootFile('infra/compose/prometheus.yml')) as {
      scrape_configs: { authorization?: { credentials_file: string }; static_configs: { targets: string[] }[] }[];
    };
    for (const { authorization, static_configs: statics } of jobs)
      expect(authorization?.credentials_file).toBe(
        statics[0]!.targets.includes('api:8080') ? '/etc/prometheus/token/token' : undefined,
      );
  });
});
