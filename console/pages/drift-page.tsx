import { Group, Stack, Text } from '@mantine/core';
import { useRef } from 'react';
import { pathTo, AppLink } from '../parts/app-link.js';
import { ChartPanel } from '../parts/chart-panel.js';
import { ConfirmButton } from '../parts/confirm-button.js';
import { EmptyState } from '../parts/empty-state.js';
import { Facts } from '../parts/facts.js';
import { formatNumber } from '../parts/format-number.js';
import { Time } from '../parts/format-time.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { Status } from '../parts/status.js';
import { client, newKey, type components } from '../service/client.js';
import { useMay } from '../service/use-caller.js';
import { useFilter } from '../service/use-filter.js';
import { LIVE_MS, useRead } from '../service/use-read.js';
import { FindingEvidence } from './finding-evidence.js';
import { useModelChoice } from './model-choice.js';

type Finding = components['schemas']['Finding'];
const MOST_WINDOWS = 14;
export const findingTone = (state: Finding['state']) =>
  ({ ok: 'good', suspect: 'waiting', alarm: 'bad', unknown: 'plain' })[state] as 'good' | 'waiting' | 'bad' | 'plain';

export default function DriftPage() {
  const { model, choice } = useModelChoice();
  return (
    <Page title="Drift" lead="Whether what comes in and goes out still looks like what the version learnt from.">
      <Group>{choice}</Group>
      {model && <ModelDrift model={model} />}
    </Page>
  );
}

function ModelDrift({ model }: { model: string }) {
  const path = { model };
  const monitor = useRead('/monitors/{model}', { path }, { everyMs: LIVE_MS });
  const findings = useRead('/monitors/{model}/findings', { path, query: { limit: 500 } }, { everyMs: 2 * LIVE_MS });
  const mayRun = useMay('engineer');
  return (
    <>
      <Panel
        title="Monitor"
        actions={
          mayRun && (
            <ConfirmButton
              label="Look now"
              size="xs"
              question={`Judge the windows of ${model} now?`}
              send={() => client.post('/monitors/{model}/run', { path, idempotencyKey: newKey() })}
            />
          )
        }
      >
        <Loaded of={monitor}>
          {({ findings: newest, last_run: last, next_run: next, declared_in: where }) => (
            <Facts
              items={[
                ['Set by', where],
                ['Last run', last ? <AppLink to={pathTo.job(last.job_id)}>{last.status}</AppLink> : 'none yet'],
                ['Next run', next && <Time at={next} />],
                ['In order', newest && formatNumber(newest.states.ok)],
                ['Suspect', newest && formatNumber(newest.states.suspect)],
                ['Alarms', newest && formatNumber(newest.states.alarm)],
                ['Could not be told', newest && formatNumber(newest.states.unknown)],
              ]}
            />
          )}
        </Loaded>
      </Panel>
      <Loaded of={findings}>
        {({ items }) =>
          items.length === 0 ? (
            <Panel title="What was found">
              <EmptyState title="Nothing was judged yet">
                The monitor runs by itself; with enough predictions in a window it says what it found.
              </EmptyState>
            </Panel>
          ) : (
            <Findings findings={items} />
          )
        }
      </Loaded>
    </>
  );
}

/** What is watched, by window, and what stands behind one of the findings: the one that was chosen, or else the gravest of the newest window. */
function Findings({ findings }: { findings: readonly Finding[] }) {
  const [chosen, choose] = useFilter('finding');
  const panel = useRef<HTMLDivElement>(null);
  const shown = findings.find(({ id }) => id === chosen) ?? gravestOf(findings);
  const show = (finding: Finding) => {
    choose(finding.id);
    panel.current?.focus();
    panel.current?.scrollIntoView({ block: 'nearest' });
  };
  return (
    <>
      <HeatMap findings={findings} shown={shown} onShow={show} />
      <div ref={panel} tabIndex={-1} className="focus-target">
        {shown && (
          <Panel title={nameOf(shown)} note={<WindowOf finding={shown} />}>
            <Stack>
              <Text>{shown.summary}</Text>
              <Facts
                items={[
                  ['State', <Status key="state" state={shown.state} tone={findingTone(shown.state)} />],
                  ['Severity', shown.severity],
                  ['Value', formatNumber(shown.value)],
                  ['Limit', formatNumber(shown.threshold)],
                  ['Version', shown.version],
                ]}
              />
              <FindingEvidence evidence={shown.evidence} of={nameOf(shown)} />
            </Stack>
          </Panel>
        )}
      </div>
    </>
  );
}

const minuteOf = (at: string) => at.slice(0, 16).replace('T', ' ');
const WindowOf = ({ finding }: { finding: Finding }) => (
  <>
    From {minuteOf(finding.window_start)} to {minuteOf(finding.window_end)} UTC
  </>
);

/** States from the gravest on. */
const GRAVITY: readonly Finding['state'][] = ['alarm', 'suspect', 'unknown', 'ok'];
const gravityOf = ({ state }: Finding) => GRAVITY.indexOf(state);
const byGravity = (a: Finding, b: Finding) => gravityOf(a) - gravityOf(b) || nameOf(a).localeCompare(nameOf(b));

/** Findings come with the latest window first. */
function gravestOf(findings: readonly Finding[]): Finding | undefined {
  const newest = findings.filter(({ window_end: end }) => end === findings[0]?.window_end);
  return newest.toSorted(byGravity)[0];
}

/** A word and a shade for each window of what is watched; what is worst now stands first. */
function HeatMap({
  findings,
  shown,
  onShow,
}: {
  findings: readonly Finding[];
  shown: Finding | undefined;
  onShow: (finding: Finding) => void;
}) {
  const windows = [...new Set(findings.map(({ window_end: end }) => end))].sort().slice(-MOST_WINDOWS);
  const at = new Map(findings.map((finding) => [`${nameOf(finding)} ${finding.window_end}`, finding]));
  const newest = new Map(findings.toReversed().map((finding) => [nameOf(finding), finding]));
  const subjects = [...newest.values()].sort(byGravity);
  return (
    <ChartPanel
      title="What was found, by window"
      note="How far each has moved. The end of each window stands above it, in UTC; what stands behind a figure is shown below"
      rows={findings.map(({ subject, segment, window_end: end, state, severity, value, threshold, summary }) => ({
        subject,
        segment,
        window_end: end,
        state,
        severity,
        value,
        threshold,
        summary,
      }))}
    >
      <div className="table-frame heat-frame" tabIndex={0} role="group" aria-label="Heat map">
        <table className="heat-map">
          <thead>
            <tr>
              <th scope="col">Watched</th>
              {windows.map((end) => (
                <th key={end} scope="col">
                  {end.slice(5, 10)}
                  <br />
                  {end.slice(11, 16)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {subjects.map(nameOf).map((subject) => (
              <tr key={subject}>
                <th scope="row">{subject}</th>
                {windows.map((end) => {
                  const finding = at.get(`${subject} ${end}`);
                  return (
                    <td key={end}>
                      {finding && (
                        <button
                          type="button"
                          className={`heat heat-${findingTone(finding.state)}`}
                          title={finding.summary}
                          aria-pressed={finding.id === shown?.id}
                          aria-label={`${subject}, ${minuteOf(end)}: ${finding.state}`}
                          onClick={() => onShow(finding)}
                        >
                          {finding.value === null ? finding.state : formatNumber(Number(finding.value.toPrecision(2)))}
                        </button>
                      )}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </ChartPanel>
  );
}

const nameOf = ({ subject, segment }: Finding) => (segment ? `${subject} (${segment})` : subject);
