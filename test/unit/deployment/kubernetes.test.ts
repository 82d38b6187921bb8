import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { refuseUnknownRoutes } from '../../../api/rate-limiter.js';
import { ALL_ROUTES } from '../../../api/routes/index-of-routes.js';
import { TASK_QUEUES } from '../../../core/names.js';
import { releaseEnvironment } from '../../../services/pipelines/release-settings.js';
import { routeRates } from '../../../services/limits/route-rates.js';
import { projectRoot } from '../../../services/project-root.js';
import {
  hasDeploymentTools,
  isSetting,
  readManifests,
  validateManifests,
  type Manifest,
} from '../../support/deployment-tools.js';

/** Of operators that a cluster may have; their schemas are not those of Kubernetes. */
const OTHERS = /^(keda\.sh|security\.istio\.io|networking\.istio\.io)\//;
const manifests = readManifests();
const ofKind = (kind: string) => manifests.filter((one) => one.kind === kind);
const named = (kind: string, name: string) => ofKind(kind).find(({ metadata }) => metadata.name === name)!;
const podOf = ({ kind, spec }: Manifest) => (kind === 'CronJob' ? spec.jobTemplate.spec.template : spec.template);
const workloads = manifests.filter(({ kind }) => ['Deployment', 'StatefulSet', 'Job', 'CronJob'].includes(kind));
const lasting = workloads.filter(({ kind }) => ['Deployment', 'StatefulSet'].includes(kind));
const containersOf = (workload: Manifest) => [
  ...(podOf(workload).spec.initContainers ?? []),
  ...podOf(workload).spec.containers,
];
const nameOf = ({ kind, metadata }: Manifest) => `${kind} ${metadata.name}`;
const fits = (
  labels: Record<string, string>,
  selector: { matchLabels?: object; matchExpressions?: { key: string; values: string[] }[] },
) =>
  Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value) &&
  (selector.matchExpressions ?? []).every(({ key, values }) => values.includes(labels[key] ?? ''));
const firstOf = (workload: Manifest) => podOf(workload).spec.containers[0];

describe('k8s/deployment.yaml', () => {
  it('is what `npm run manifests` makes of infra/kubernetes', () => {
    const check = spawnSync(process.execPath, ['infra/kubernetes/render-manifests.mjs', '--check'], {
      cwd: projectRoot(),
    });
    expect(String(check.stderr)).toBe('');
    const rendered = spawnSync('kubectl', ['kustomize', 'infra/kubernetes/overlays/production'], {
      cwd: projectRoot(),
      encoding: 'utf8',
    });
    if (rendered.error)
      return void process.stderr.write('SKIPPED rendering the manifests anew: kubectl is not installed.\n');
    // Other releases of kubectl break lines elsewhere.
    expect(parseAllDocuments(rendered.stdout).map((document) => document.toJS() as unknown)).toEqual(manifests);
  });

  it.skipIf(!hasDeploymentTools())('is what the schemas of Kubernetes allow, strictly', () => {
    const { files, ...verdict } = validateManifests(manifests, OTHERS);
    expect(files).toBeGreaterThan(20);
    expect(verdict).toEqual({ code: 0, told: '' });
  });

  it('runs nobody as root, with a token, or with a way to change its own code', () => {
    expect(workloads.map(nameOf).sort()).toEqual([
      'CronJob backup',
      'Deployment pipeline-worker',
      'Deployment training-worker',
      'Job migrate',
      'StatefulSet api',
    ]);
    for (const workload of workloads) {
      const { spec } = podOf(workload);
      expect(spec, nameOf(workload)).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: 'RuntimeDefault' } },
      });
      expect(named('ServiceAccount', spec.serviceAccountName)).toMatchObject({ automountServiceAccountToken: false });
      for (const container of containersOf(workload))
        expect(container, `${nameOf(workload)} ${container.name}`).toMatchObject({
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
        });
      for (const forbidden of ['hostNetwork', 'hostPID', 'hostIPC']) expect(spec).not.toHaveProperty(forbidden);
      for (const volume of spec.volumes ?? []) expect(volume).not.toHaveProperty('hostPath');
    }
    expect(ofKind('Namespace')[0]!.metadata.labels).toMatchObject({
      'pod-security.kubernetes.io/enforce': 'restricted',
    });
  });

  it('pins images and says what each container needs and may take', () => {
    for (const workload of workloads)
      for (const { name, image, resources } of containersOf(workload)) {
        const where = `${nameOf(workload)} ${name}`;
        expect(image, where).toMatch(/:\d+\.\d+\.\d+$/);
        expect(resources.requests, where).toMatchObject({ cpu: expect.anything(), memory: expect.anything() });
        expect(resources.limits, where).toHaveProperty('memory');
      }
  });

  it('probes what lasts, and gives it longer to drain than it takes', () => {
    for (const workload of lasting) {
      const { ports, startupProbe, livenessProbe, readinessProbe } = firstOf(workload);
      for (const probe of [startupProbe, livenessProbe, readinessProbe])
        expect(ports.map(({ name }: { name: string }) => name)).toContain(probe.httpGet.port);
      // 15 s of grace and 5 s until they are cancelled; the API waits before it drains.
      const delay = firstOf(workload).env.find((one: { name: string }) => one.name === 'SHUTDOWN_DELAY')?.value ?? 0;
      expect(podOf(workload).spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(Number(delay) + 30);
    }
    expect(firstOf(named('StatefulSet', 'api'))).toMatchObject({
      startupProbe: { httpGet: { path: '/health/live' } },
      livenessProbe: { httpGet: { path: '/health/live' } },
      readinessProbe: { httpGet: { path: '/health/ready' } },
    });
  });

  it('has a budget, a spread and an autoscaler for what lasts, and its number from the autoscaler alone', () => {
    for (const workload of lasting) {
      const { name } = workload.metadata;
      const labels = podOf(workload).metadata.labels;
      const budgets = ofKind('PodDisruptionBudget').filter(({ spec }) => fits(labels, spec.selector));
      expect(budgets, name).toHaveLength(1);
      const { spec } = budgets[0]!;
      const scaler = [...ofKind('HorizontalPodAutoscaler'), ...ofKind('ScaledObject')].find(
        (one) => one.spec.scaleTargetRef.name === name,
      )!;
      const least = scaler.spec.minReplicas ?? scaler.spec.minReplicaCount;
      expect(spec.maxUnavailable ?? least - spec.minAvailable, name).toBeGreaterThanOrEqual(1);
      // Else each `kubectl apply` would take the pods away that the load needs.
      expect(workload.spec, name).not.toHaveProperty('replicas');
      const keys = podOf(workload).spec.topologySpreadConstraints.map(
        (one: { topologyKey: string }) => one.topologyKey,
      );
      expect(keys).toEqual(['topology.kubernetes.io/zone', 'kubernetes.io/hostname']);
    }
    const scaled = ofKind('HorizontalPodAutoscaler')[0]!.spec.metrics.map(
      (one: { resource: { name: string } }) => one.resource.name,
    );
    expect(scaled).toEqual(['cpu', 'memory']);
  });

  it('scales workers by the task queues that they poll', () => {
    for (const [worker, queue] of [
      ['pipeline-worker', TASK_QUEUES.pipeline],
      ['training-worker', TASK_QUEUES.training],
    ] as const) {
      const [trigger] = named('ScaledObject', worker).spec.triggers;
      const { TEMPORAL_ADDRESS: endpoint, TEMPORAL_NAMESPACE: namespace } = named(
        'ConfigMap',
        'ml-pipeline-settings',
      ).data!;
      expect(trigger).toMatchObject({ type: 'temporal', metadata: { taskQueue: queue, endpoint, namespace } });
    }
  });

  it('sets only what the service knows, secrets from the secret of the documents', () => {
    const settings = ofKind('ConfigMap').flatMap(({ data = {} }) => Object.entries(data));
    const variables = workloads.flatMap((workload) => containersOf(workload).flatMap(({ env = [] }) => env));
    const names = [...settings.map(([key]) => key), ...variables.map((one) => one.name)];
    expect(names.filter((name) => name !== 'POD_NAME' && !isSetting(name))).toEqual([]);
    const secrets = variables.flatMap(({ valueFrom }) => (valueFrom?.secretKeyRef ? [valueFrom.secretKeyRef] : []));
    expect(new Set(secrets.map(({ name, key }) => `${name} ${key}`))).toEqual(
      new Set(['database-url', 'redis-url', 'encryption-keys'].map((key) => `ml-pipeline-secrets ${key}`)),
    );
    for (const [name, value] of settings) expect(value, name).not.toMatch(/password|secret|BEGIN|:\/\/[^/]*:[^/]*@/i);
    expect(ofKind('Secret')).toEqual([]);
  });

  it('holds callers to a rate, and what costs much to one of its own', () => {
    const { RATE_LIMIT, RATE_LIMIT_ROUTES } = named('ConfigMap', 'ml-pipeline-settings').data!;
    const rates = routeRates.parse(RATE_LIMIT_ROUTES);
    refuseUnknownRoutes(rates, ALL_ROUTES);
    expect(rates.get('POST /models/train')).toBeGreaterThan(0);
    expect(Number(RATE_LIMIT)).toBeGreaterThan(0);
  });

  it('mounts what it declares, and can write where the service writes', () => {
    for (const workload of workloads) {
      const claims = (workload.spec.volumeClaimTemplates ?? []).map((one: Manifest) => one.metadata.name);
      const volumes = [...(podOf(workload).spec.volumes ?? []).map((one: { name: string }) => one.name), ...claims];
      const mounts = containersOf(workload).flatMap(({ volumeMounts = [] }) => volumeMounts);
      expect(new Set(mounts.map(({ name }) => name)), nameOf(workload)).toEqual(new Set(volumes));
    }
    for (const workload of lasting)
      expect(
        firstOf(workload)
          .volumeMounts.map((one: { mountPath: string }) => one.mountPath)
          .sort(),
      ).toEqual(['/app/data', '/app/models', '/app/state', '/tmp'].sort());
    for (const workload of workloads)
      for (const { persistentVolumeClaim: claim } of podOf(workload).spec.volumes ?? [])
        if (claim) expect(named('PersistentVolumeClaim', claim.claimName), claim.claimName).toBeDefined();
  });

  it('closes the network but for what is named, for every pod', () => {
    const policies = ofKind('NetworkPolicy');
    expect(named('NetworkPolicy', 'deny-all').spec).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    for (const workload of workloads) {
      const labels = podOf(workload).metadata.labels;
      const own = policies.filter(
        ({ spec }) => Object.keys(spec.podSelector).length > 0 && fits(labels, spec.podSelector),
      );
      expect(own, nameOf(workload)).toHaveLength(1);
      const ports = (own[0]!.spec.egress as { ports?: { port: number }[] }[]).flatMap(({ ports: some = [] }) =>
        some.map(({ port }) => port),
      );
      expect(ports, nameOf(workload)).toEqual(expect.arrayContaining([5432, 7233]));
    }
    for (const service of ofKind('Service'))
      expect(
        workloads.some((workload) => fits(podOf(workload).metadata.labels, { matchLabels: service.spec.selector })),
      ).toBe(true);
  });

  it('trains on nodes of their own and lets the mesh encrypt and balance', () => {
    const training = podOf(named('Deployment', 'training-worker')).spec;
    expect(firstOf(named('Deployment', 'training-worker')).resources.limits).toHaveProperty(['nvidia.com/gpu']);
    expect(training.tolerations).toContainEqual({ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' });
    expect(ofKind('PeerAuthentication')[0]!.spec.mtls.mode).toBe('STRICT');
    expect(ofKind('DestinationRule')[0]!.spec.trafficPolicy.loadBalancer.simple).toBe('LEAST_REQUEST');
    expect(ofKind('Namespace')[0]!.metadata.annotations).toHaveProperty(['linkerd.io/inject']);
  });

  it('has the proxies of a mesh there before the pod begins, past which it waits for the schema, and until it has drained', () => {
    for (const workload of lasting) {
      const { metadata, spec } = podOf(workload);
      const annotations = metadata.annotations as Record<string, string>;
      for (const key of ['config.linkerd.io/skip-outbound-ports', 'traffic.sidecar.istio.io/excludeOutboundPorts'])
        expect(annotations[key], nameOf(workload)).toBe('5432');
      expect(parse(annotations['proxy.istio.io/config']!), nameOf(workload)).toEqual({
        holdApplicationUntilProxyStarts: true,
        proxyMetadata: { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: 'true' },
      });
      const lastsSeconds = Number(annotations['config.alpha.linkerd.io/proxy-wait-before-exit-seconds']);
      expect(spec.terminationGracePeriodSeconds - lastsSeconds, nameOf(workload)).toBeLessThanOrEqual(5);
      expect(lastsSeconds, nameOf(workload)).toBeLessThan(spec.terminationGracePeriodSeconds);
    }
  });

  it('keeps everything in one namespace', () => {
    const names = manifests.filter(({ kind }) => kind !== 'Namespace').map(({ metadata }) => metadata.namespace);
    expect(new Set(names)).toEqual(new Set([ofKind('Namespace')[0]!.metadata.name]));
  });
});

describe('the overlay of workers with a build id', () => {
  const rendered = spawnSync('kubectl', ['kustomize', 'infra/kubernetes/overlays/worker-build'], {
    cwd: projectRoot(),
    encoding: 'utf8',
  });
  const own = parseAllDocuments(rendered.stdout ?? '').map((document) => document.toJS() as Manifest);
  if (rendered.error)
    process.stderr.write('SKIPPED the overlay of workers with a build id: kubectl is not installed.\n');

  it.skipIf(rendered.error || !hasDeploymentTools())('is what the schemas of Kubernetes allow, strictly', () => {
    expect(validateManifests(own, OTHERS)).toMatchObject({ files: 2, code: 0, told: '' });
  });

  it.skipIf(rendered.error)('has pods of its own, and counts what waits for their build alone', () => {
    for (const worker of ['pipeline-worker', 'training-worker']) {
      const [deployment, scaler] = ['Deployment', 'ScaledObject'].map((kind) =>
        own.find((one) => one.kind === kind && one.metadata.name.startsWith(worker))!,
      ) as [Manifest, Manifest];
      const { env } = firstOf(deployment) as { env: { name: string; value: string }[] };
      const [build, name] = ['WORKER_BUILD_ID', 'WORKER_DEPLOYMENT_NAME'].map((key) =>
        releaseEnvironment[key as keyof typeof releaseEnvironment].parse(env.find((one) => one.name === key)?.value),
      );
      expect(deployment.metadata.name).toBe(`${worker}-${build!.replaceAll('.', '-')}`);
      expect(deployment.spec.selector.matchLabels).toMatchObject({ 'ml-pipeline/build': build });
      expect(podOf(deployment).metadata.labels).toMatchObject({
        'app.kubernetes.io/name': worker,
        'ml-pipeline/build': build,
      });
      expect(scaler.spec.scaleTargetRef.name).toBe(deployment.metadata.name);
      expect(scaler.spec.triggers[0].metadata.buildId).toBe(`${name}:${build}`);
    }
  });
});
