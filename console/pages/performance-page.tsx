import { Group, Select } from '@mantine/core';
import { AppLink, pathTo } from '../parts/app-link.js';
import { ChartPanel } from '../parts/chart-panel.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { formatName, formatNumber, formatPercent } from '../parts/format-number.js';
import { IntervalBar } from '../parts/interval-bar.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { SeriesChart } from '../parts/series-chart.js';
import type { components } from '../service/client.js';
import { useFilter } from '../service/use-filter.js';
import { LIVE_MS, useRead } from '../service/use-read.js';
import { useModelChoice } from './model-choice.js';

type Performance = components['schemas']['ModelPerformance'];
type Version = Performance['versions'][number];
type Summary = components['schemas']['MetricSummary'];
const INTERVALS = ['day', 'hour'] as const;

export default function PerformancePage() {
  const { model, choice } = useModelChoice();
  const [chosen, setInterval] = useFilter('interval');
  const interval = INTERVALS.find((one) => one === chosen) ?? 'day';
  const performance = useRead(
    '/analytics/model-performance',
    { query: { model_type: model ?? '', interval } },
    { everyMs: 4 * LIVE_MS, enabled: model !== undefined },
  );
  return (
    <Page
      title="Performance"
      lead="How well answers came true, and how well they are expected to where the truth is not known yet."
    >
      <Group>
        {choice}
        <Select
          label="By"
          data={[...INTERVALS]}
          value={interval}
          onChange={setInterval}
          allowDeselect={false}
          w={110}
        />
      </Group>
      <Loaded of={performance}>
        {({ versions, series, note, label_maturity_hours: hours }) =>
          versions.length === 0 ? (
            <EmptyState title="Nothing to show yet">
              {note ?? 'The model has answered nothing in these days.'}
            </EmptyState>
          ) : (
            <>
              <Versions versions={versions} model={model ?? ''} />
              <Measures versions={versions} maturityHours={hours} />
              <Series series={series} />
            </>
          )
        }
      </Loaded>
    </Page>
  );
}

function Versions({ versions, model }: { versions: readonly Version[]; model: string }) {
  return (
    <Panel title="Versions">
      <DataTable
        caption="Versions that answered"
        rows={versions}
        keyOf={({ version, arm, segment }) => `${version} ${arm} ${segment}`}
        columns={[
          {
            title: 'Version',
            isHeading: true,
            cell: ({ version }) => <AppLink to={pathTo.version(model, version)}>{version}</AppLink>,
          },
          { title: 'Arm', cell: ({ arm }) => arm || '—' },
          { title: 'Segment', cell: ({ segment }) => segment || 'all' },
          { title: 'Answers', align: 'right', cell: ({ requests }) => formatNumber(requests) },
          { title: 'Truths', align: 'right', cell: ({ labelled }) => formatNumber(labelled) },
          { title: 'Of all', align: 'right', cell: ({ label_coverage: share }) => formatPercent(share) },
        ]}
      />
    </Panel>
  );
}

/** What came true beside what was expected and what was measured in training, each measure on a scale of its own. */
function Measures({ versions, maturityHours }: { versions: readonly Version[]; maturityHours: number }) {
  const rows = versions
    .filter(({ segment }) => segment === '')
    .flatMap(({ version, arm, heads }) =>
      Object.entries(heads).flatMap(([head, metrics]) =>
        Object.entries(metrics).map(([metric, summary]) => ({ version, arm, head, metric, summary })),
      ),
    );
  if (rows.length === 0) return null;
  return (
    <Panel
      title="Measures"
      note={`With 95 % intervals. What is expected takes no truths; truths count as all in after ${formatNumber(maturityHours)} hours`}
    >
      <DataTable
        caption="Measures of each version"
        rows={rows}
        keyOf={({ version, arm, head, metric }) => `${version} ${arm} ${head} ${metric}`}
        columns={[
          {
            title: 'Measure',
            isHeading: true,
            cell: ({ head, metric }) => `${formatName(head)}: ${formatName(metric)}`,
          },
          { title: 'Version', cell: answererOf },
          ...(['realised', 'estimated', 'baseline'] as const).map((which) => ({
            title: TITLES[which],
            cell: ({ summary }: { summary: Summary }) => <Figure of={summary[which]} scale={scaleOf(summary)} />,
          })),
          {
            title: 'Truths',
            align: 'right' as const,
            cell: ({ summary }: { summary: Summary }) => formatNumber(summary.realised?.rows ?? 0),
          },
        ]}
      />
    </Panel>
  );
}

const TITLES = { realised: 'Came true', estimated: 'Expected', baseline: 'Held out in training' };

/** Both ends of all that is known of a measure. */
function scaleOf({ realised, estimated, baseline }: Summary): [number, number] {
  const ends = [realised, estimated, baseline].flatMap((one) =>
    one ? [one.value, one.lower, one.upper].filter((end) => end !== null) : [],
  );
  return [Math.min(...ends), Math.max(...ends)];
}

function Figure({ of, scale: [from, to] }: { of: Summary['realised']; scale: [number, number] }) {
  if (!of || of.value === null) return <>—</>;
  return (
    <Group gap={8} wrap="nowrap">
      <span className="figure measure">{formatNumber(of.value)}</span>
      <IntervalBar value={of.value} lower={of.lower} upper={of.upper} from={from} to={to} width={100} />
    </Group>
  );
}

/** One version, as it was deployed or as an arm of a rollout: those of the same days are never one line. */
const answererOf = ({ version, arm }: { version: string; arm: string | null }) => `${version}${arm ? ` (${arm})` : ''}`;

function Series({ series }: { series: Performance['series'] }) {
  const whole = series.filter(({ segment }) => segment === '');
  const answerers = [...new Set(whole.map(answererOf))];
  const measures = [
    ...new Set(
      whole.flatMap(({ heads }) =>
        Object.entries(heads).flatMap(([head, metrics]) => Object.keys(metrics).map((name) => `${head}: ${name}`)),
      ),
    ),
  ];
  const [chosen, setChosen] = useFilter('measure');
  const [chosenAnswerer, setAnswerer] = useFilter('of');
  const newest = whole.findLast(({ arm }) => !arm) ?? whole.at(-1);
  const measure =
    measures.find((one) => one === chosen) ?? measures.find((one) => hasEstimate(whole, one)) ?? measures[0];
  const answerer = answerers.find((one) => one === chosenAnswerer) ?? (newest && answererOf(newest));
  if (!measure || !answerer) return null;
  const [head = '', name = ''] = measure.split(': ');
  const rows = whole
    .filter((one) => answererOf(one) === answerer)
    .map(({ start, version, arm, heads }) => {
      const summary = heads[head]?.[name];
      return {
        start: start.slice(0, start.endsWith('T00:00:00.000Z') ? 10 : 16).replace('T', ' '),
        version,
        arm,
        realised: summary?.realised?.value ?? null,
        lower: summary?.realised?.lower ?? null,
        upper: summary?.realised?.upper ?? null,
        estimated: summary?.estimated?.value ?? null,
        baseline: summary?.baseline?.value ?? null,
      };
    });
  return (
    <ChartPanel
      title={`${formatName(measure)} of ${answerer}`}
      note="Realised with its 95 % interval, estimated without truths, and on the rows held out"
      rows={rows}
      actions={
        <>
          <Select
            aria-label="Measure"
            size="xs"
            data={measures}
            value={measure}
            onChange={setChosen}
            allowDeselect={false}
          />
          {answerers.length > 1 && (
            <Select
              aria-label="Version"
              size="xs"
              data={answerers}
              value={answerer}
              onChange={setAnswerer}
              allowDeselect={false}
            />
          )}
        </>
      }
    >
      <SeriesChart
        label={`${formatName(measure)} of ${answerer}`}
        rows={rows}
        x="start"
        lines={['realised', 'estimated', 'baseline']}
        band={['lower', 'upper']}
      />
    </ChartPanel>
  );
}

/** Measures whose expectation can be held beside what came true tell most. */
const hasEstimate = (series: Performance['series'], measure: string) => {
  const [head = '', name = ''] = measure.split(': ');
  return series.some(({ heads }) => heads[head]?.[name]?.estimated);
};
