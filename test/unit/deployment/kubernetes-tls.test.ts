import { describe, expect, it } from 'vitest';
import { API_CLIENT_TLS, API_SERVER_TLS, REDIS_TLS, TEMPORAL_TLS } from '../../../services/network/tls-settings.js';
import { hasDeploymentTools, isSetting, validateManifests } from '../../support/deployment-tools.js';
import { readPatchedManifests } from '../../support/patched-manifests.js';

const manifests = readPatchedManifests('tls');
const named = (kind: string, name: string) => manifests.find((one) => one.kind === kind && one.metadata.name === name)!;
const podOf = (kind: string, name: string) => named(kind, name).spec.template.spec;
const WORKLOADS = [
  ['StatefulSet', 'api', 'api', API_SERVER_TLS],
  ['Deployment', 'pipeline-worker', 'worker', API_CLIENT_TLS],
  ['Deployment', 'training-worker', 'worker', API_CLIENT_TLS],
] as const;

describe('the overlay with TLS', () => {
  it.skipIf(!hasDeploymentTools())('is what the schemas of Kubernetes allow, strictly', () => {
    const { files, ...verdict } = validateManifests(manifests, /^(keda\.sh|cert-manager\.io)\//);
    expect(files).toBeGreaterThan(20);
    expect(verdict).toEqual({ code: 0, told: '' });
  });

  it('gives each process the files of its own certificate, by settings that it knows', () => {
    for (const [kind, name, certificate, names] of WORKLOADS) {
      const { volumes, containers } = podOf(kind, name);
      const { env, volumeMounts } = containers[0];
      expect(volumes, name).toContainEqual({
        name: 'tls',
        secret: { secretName: named('Certificate', certificate).spec.secretName, defaultMode: 0o440 },
      });
      expect(volumeMounts, name).toContainEqual({ name: 'tls', mountPath: '/tls', readOnly: true });
      for (const [part, file] of [
        ['ca', 'ca.crt'],
        ['cert', 'tls.crt'],
        ['key', 'tls.key'],
      ] as const)
        expect(env, name).toContainEqual({ name: names[part], value: `/tls/${file}` });
      expect(env.filter((one: { name: string }) => one.name !== 'POD_NAME' && !isSetting(one.name))).toEqual([]);
    }
  });

  it('asks the API over TLS, by a name that stands in its certificate, and signs with one authority', () => {
    const { startupProbe, livenessProbe, readinessProbe } = podOf('StatefulSet', 'api').containers[0];
    for (const probe of [startupProbe, livenessProbe, readinessProbe]) expect(probe.httpGet.scheme).toBe('HTTPS');
    expect(named('Service', 'api').spec.ports[0].appProtocol).toBe('https');
    const { protocol, hostname, port } = new URL(named('ConfigMap', 'ml-pipeline-settings').data!['API_BASE_URL']!);
    expect([protocol, port]).toEqual(['https:', '8080']);
    const { dnsNames, usages } = named('Certificate', 'api').spec;
    expect(dnsNames).toContain(hostname);
    expect([usages, named('Certificate', 'worker').spec.usages]).toEqual([['server auth'], ['client auth']]);
    for (const name of ['api', 'worker'])
      expect(named('Certificate', name).spec.issuerRef).toEqual({ kind: 'Issuer', name: 'authority' });
    expect(named('Issuer', 'authority').spec.ca.secretName).toBe(named('Certificate', 'authority').spec.secretName);
  });

  it('has PostgreSQL, Redis and Temporal asked over TLS by every process, and by what scales them', () => {
    const mounted = { name: 'servers', mountPath: '/servers', readOnly: true };
    const settings = named('ConfigMap', 'ml-pipeline-settings').data!;
    const files = { ca: '/servers/ca.crt', cert: '/servers/tls.crt', key: '/servers/tls.key' };
    for (const part of ['ca', 'cert', 'key'] as const) expect(settings[TEMPORAL_TLS[part]]).toBe(files[part]);
    for (const [kind, name] of [...WORKLOADS, ['Job', 'migrate'] as const]) {
      const { volumes, containers, initContainers = [] } = podOf(kind, name);
      const secret = { secretName: 'servers-tls', defaultMode: 0o440 };
      expect(volumes, name).toContainEqual({ name: 'servers', secret });
      for (const container of [...containers, ...initContainers])
        expect(container.volumeMounts, `${name} ${container.name}`).toContainEqual(mounted);
      for (const part of ['ca', 'cert', 'key'] as const)
        if (name !== 'migrate') expect(containers[0].env).toContainEqual({ name: REDIS_TLS[part], value: files[part] });
    }
    const keys = named('TriggerAuthentication', 'temporal').spec.secretTargetRef as {
      parameter: string;
      key: string;
    }[];
    expect(keys.map(({ parameter, key }) => `${parameter} ${key}`)).toEqual([
      'ca ca.crt',
      'cert tls.crt',
      'key tls.key',
    ]);
    for (const name of ['pipeline-worker', 'training-worker'])
      expect(named('ScaledObject', name).spec.triggers[0]).toMatchObject({
        type: 'temporal',
        authenticationRef: { name: 'temporal' },
      });
  });
});
