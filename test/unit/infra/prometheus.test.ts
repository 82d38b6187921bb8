import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DASHBOARDS } from '../../../infra/grafana/all-dashboards.js';
import { buildDashboard } from '../../../infra/grafana/build-dashboard.js';
import { projectRoot } from '../../../services/project-root.js';
import { hasPrometheus, promtool } from '../../support/prometheus-server.js';

const root = projectRoot();
const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}
const rulesOf = (path: string) =>
  (parse(read(path)) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules);
const alerts = rulesOf('infra/prometheus/rules/alerts.yml');
const recordings = rulesOf('infra/prometheus/rules/recording.yml');

describe.skipIf(!hasPrometheus())('the rules for Prometheus', () => {
  it('are valid, and so is the configuration that names them, beside the token that it reads', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mlops-promtool-'));
    try {
      cpSync(join(root, 'infra/prometheus'), join(folder, 'infra/prometheus'), { recursive: true });
      const check = () => promtool(['check', 'config', join(folder, 'infra/prometheus/prometheus.yml')]);
      expect(check).toThrow(/prometheus-token/);
      mkdirSync(join(folder, '.state'));
      writeFileSync(join(folder, '.state/prometheus-token'), 'mlps_x');
      expect(check()).toContain('SUCCESS');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each(['infra/compose/prometheus.yml', 'infra/prometheus/kubernetes.yml'])(
    'are in a form that Prometheus takes: %s',
    (path) => {
      const folder = mkdtempSync(join(tmpdir(), 'mlops-promtool-'));
      const config = join(folder, 'prometheus.yml');
      try {
        // Builds of some systems find no pods: their key is the only thing that is not looked at here.
        writeFileSync(config, read(path).replaceAll(/kubernetes_sd_configs:\n.*\n.*\n/g, 'static_configs: []\n'));
        expect(promtool(['check', 'config', '--syntax-only', config])).toContain('SUCCESS');
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );

  it('fire when they should and only then', () => {
    expect(promtool(['test', 'rules', join(root, 'infra/prometheus/tests/alerts.yml')])).toContain('SUCCESS');
  });
});

describe('the alerts', () => {
  const tested = (parse(read('infra/prometheus/tests/alerts.yml')) as { tests: { name: string }[] }).tests.map(
    ({ name }) => name,
  );

  it.each(alerts.map((rule) => [rule.alert!, rule] as const))(
    '%s has a test, a severity and a runbook',
    (name, rule) => {
      expect(tested).toContain(name);
      expect(['info', 'warning', 'critical']).toContain(rule.labels?.['severity']);
      const [page, anchor] = rule.annotations!['runbook_url']!.split('#');
      const anchors = [...read(page!).matchAll(/^## (.+)$/gm)].map(([, title]) => title!.toLowerCase());
      expect(anchors).toContain(anchor);
    },
  );
});

describe('rules and dashboards', () => {
  const sources = ['services/telemetry'].flatMap((folder) =>
    readdirSync(join(root, folder)).map((file) => read(join(folder, file))),
  );
  const known = new Set(sources.join('\n').match(/mlops_[a-z0-9_]+/g));
  const panels = DASHBOARDS.flatMap(({ rows }) => rows.flatMap(({ panels }) => panels));
  const expressions = [
    ...[...alerts, ...recordings].map(({ expr }) => expr),
    ...panels.flatMap(({ queries }) => queries.map(({ expr }) => expr)),
  ];

  it('ask only for metrics that the service has, and for recordings that there are', () => {
    const asked = expressions.flatMap((expr) => expr.match(/[a-z:]*\bmlops_[a-z0-9_]+(:[a-z0-9_]+)?/g) ?? []);
    expect(asked.length).toBeGreaterThan(60);
    const records = new Set(recordings.map(({ record }) => record));
    const missing = asked.filter((name) =>
      name.includes(':')
        ? !records.has(name)
        : !known.has(name.replace(/_(bucket|sum|count)$/, '')) && !known.has(name),
    );
    expect(missing).toEqual([]);
  });

  it.each(DASHBOARDS.map((spec) => [spec.uid, spec] as const))('%s.json is up to date with its code', (uid, spec) => {
    // `npm run dashboards` writes it.
    expect(JSON.parse(read(`infra/grafana/dashboards/${uid}.json`))).toEqual(
      JSON.parse(JSON.stringify(buildDashboard(spec))),
    );
  });
});
