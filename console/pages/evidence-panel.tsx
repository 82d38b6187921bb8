import { Button, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { ChartPanel } from '../parts/chart-panel.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { formatName, formatNumber } from '../parts/format-number.js';
import { formatSeconds } from '../parts/format-seconds.js';
import { Time } from '../parts/format-time.js';
import { IntervalBar } from '../parts/interval-bar.js';
import { Loaded } from '../parts/loaded.js';
import { Panel } from '../parts/panel.js';
import { Status, toneOf } from '../parts/status.js';
import type { components } from '../service/client.js';
import type { Finding } from '../service/shapes.js';
import { LIVE_MS, useRead } from '../service/use-read.js';

type Rollout = components['schemas']['DeploymentDetail'];
type EvidenceWindow = components['schemas']['EvidenceWindow'];

/** The latest tell most. */
const FIRST_LOOKS = 6;

/** What the traffic has shown so far: each measure against its limit, and the verdict of each look. */
export function EvidencePanel({ rollout }: { rollout: Rollout }) {
  const path = { deployment_id: rollout.deployment_id };
  const [isWhole, setWhole] = useState(false);
  const windows = useRead(
    '/deployments/{deployment_id}/evidence',
    { path, query: { limit: 50 } },
    { everyMs: LIVE_MS },
  );
  return (
    <Loaded of={windows}>
      {({ items }) =>
        items.length === 0 ? (
          <Panel title="Evidence">
            <EmptyState title="No evidence yet">
              The first look comes when the first window of the step is over.
            </EmptyState>
          </Panel>
        ) : (
          <>
            <LatestEvidence latest={items[0]!} />
            <Panel
              title="Looks so far"
              actions={
                items.length > FIRST_LOOKS && (
                  <Button
                    size="compact-xs"
                    variant="default"
                    aria-expanded={isWhole}
                    onClick={() => setWhole(!isWhole)}
                  >
                    {isWhole ? 'Only the latest' : `All ${items.length}`}
                  </Button>
                )
              }
            >
              <DataTable
                caption="Looks at the evidence, newest first"
                rows={isWhole ? items : items.slice(0, FIRST_LOOKS)}
                keyOf={({ window }) => String(window)}
                columns={[
                  { title: 'Window', isHeading: true, cell: ({ window }) => window },
                  { title: 'Verdict', cell: ({ verdict }) => <Status state={verdict} /> },
                  { title: 'Reason', cell: ({ reason }) => reason },
                  { title: 'When', cell: ({ at }) => <Time at={at} /> },
                ]}
              />
            </Panel>
          </>
        )
      }
    </Loaded>
  );
}

function LatestEvidence({ latest }: { latest: EvidenceWindow }) {
  const findings = latest.findings as unknown as Finding[];
  const needed = latest.needed as unknown as { requests?: number; seconds?: number | null } | undefined;
  return (
    <ChartPanel
      title="Evidence against its limits"
      note="Harm of the new version: right of the dashed line is more than is acceptable. The bars are intervals that hold at any time."
      rows={findings.map(({ measure, finding, estimate, lower, upper, margin }) => ({
        measure,
        finding,
        estimate,
        lower,
        upper,
        margin,
      }))}
    >
      <Stack gap="sm">
        <Text component="div" fw={600}>
          <Status state={latest.verdict} />
        </Text>
        <Text size="sm">{latest.reason}</Text>
        {needed?.requests ? (
          <Text size="sm" c="dimmed">
            About {formatNumber(Math.ceil(needed.requests))} requests an arm are missing
            {needed.seconds ? `, ${formatSeconds(needed.seconds)} at the present rate` : ''}.
          </Text>
        ) : null}
        <DataTable
          caption="Measures of the rollout"
          rows={findings}
          keyOf={({ measure }) => measure}
          columns={[
            { title: 'Measure', isHeading: true, cell: ({ measure }) => formatName(measure) },
            { title: 'Finding', cell: ({ finding }) => <Status state={finding} /> },
            { title: 'Harm', align: 'right', cell: ({ estimate }) => formatNumber(estimate) },
            { title: 'Against its limit', cell: (finding) => <FindingBar finding={finding} /> },
            { title: 'Why', cell: ({ reason }) => reason },
          ]}
        />
      </Stack>
    </ChartPanel>
  );
}

/** Measures have units of their own, so each has a scale of its own. */
function FindingBar({ finding }: { finding: Finding }) {
  const { estimate, lower, upper, margin, allowed } = finding;
  const limit = allowed ?? margin;
  const ends = [estimate, lower, upper, limit, 0].filter((end): end is number => end !== null && end !== undefined);
  const from = Math.min(...ends);
  const to = Math.max(...ends);
  return (
    <IntervalBar
      value={estimate}
      lower={lower}
      upper={upper}
      from={from}
      to={to}
      limit={limit}
      tone={toneOf(finding.finding)}
    />
  );
}
