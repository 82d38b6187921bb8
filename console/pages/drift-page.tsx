import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { pathTo, AppLink } from '../parts/app-link.js';
import { ChartPanel } from '../parts/chart-panel.js';
import { ConfirmButton } from '../parts/confirm-button.js';
import { EmptyState } from '../parts/empty-state.js';
import { Facts } from '../parts/facts.js';
import { formatNumber } from '../parts/format-number.js';
import { Time } from '../parts/format-time.js';
import { JsonView } from '../parts/json-view.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { Status } from '../parts/status.js';
import { client, newKey, type components } from '../service/client.js';
import { useMay } from '../service/use-caller.js';
import { LIVE_MS, useRead } from '../service/use-read.js';
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
            <HeatMap findings={items} />
          )
        }
      </Loaded>
    </>
  );
}

/** What is watched by window: a word and a shade for each, and its evidence behind it. */
function HeatMap({ findings }: { findings: readonly Finding[] }) {
  const [shown, setShown] = useState<Finding>();
  const windows = [...new Set(findings.map(({ window_end: end }) => end))].sort().slice(-MOST_WINDOWS);
  const subjects = [...new Set(findings.map(nameOf))].sort();
  const at = new Map(findings.map((finding) => [`${nameOf(finding)} ${finding.window_end}`, finding]));
  return (
    <ChartPanel
      title="What was found, by window"
      note="The end of each window stands above it, in UTC"
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
      <div className="table-frame" tabIndex={0} role="group" aria-label="Heat map">
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
            {subjects.map((subject) => (
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
                          onClick={() => setShown(finding)}
                        >
                          {finding.value === null ? finding.state : formatNumber(finding.value)}
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
      <Modal opened={shown !== undefined} onClose={() => setShown(undefined)} title={shown && nameOf(shown)} size="lg">
        {shown && (
          <Stack>
            <Status state={shown.state} tone={findingTone(shown.state)} />
            <Text>{shown.summary}</Text>
            <Facts
              items={[
                ['Value', formatNumber(shown.value)],
                ['Limit', formatNumber(shown.threshold)],
                ['Severity', shown.severity],
                ['Version', shown.version],
              ]}
            />
            <JsonView value={shown.evidence} label="Evidence" />
            <Button variant="default" onClick={() => setShown(undefined)}>
              Close
            </Button>
          </Stack>
        )}
      </Modal>
    </ChartPanel>
  );
}

const nameOf = ({ subject, segment }: Finding) => (segment ? `${subject} (${segment})` : subject);
