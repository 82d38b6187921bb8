import { Badge, Button, Group, SegmentedControl, Text } from '@mantine/core';
import { downloadFile } from '../parts/chart-panel.js';
import { EmptyState } from '../parts/empty-state.js';
import { Panel } from '../parts/panel.js';
import { useFilter } from '../service/use-filter.js';
import type { JobLogLine } from '../service/use-job-events.js';

/** What is shown at each choice; the first shows all. */
const LEAST: Record<string, readonly string[]> = {
  all: [],
  warnings: ['warn', 'error', 'fatal'],
  errors: ['error', 'fatal'],
};
const COLORS: Record<string, string> = { warn: 'yellow', error: 'red', fatal: 'red' };

/** What the job has logged, as it comes, with a choice that is part of the address. */
export function JobLog({ jobId, lines, isOver }: { jobId: string; lines: readonly JobLogLine[]; isOver: boolean }) {
  const [level = 'all', setLevel] = useFilter('log');
  const wanted = LEAST[level] ?? [];
  const shown = wanted.length === 0 ? lines : lines.filter((line) => wanted.includes(line.level));
  const save = () =>
    downloadFile(`${jobId}.ndjson`, 'application/x-ndjson', lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return (
    <Panel
      title="Log"
      note={isOver ? `${lines.length} lines` : `${lines.length} lines so far`}
      actions={
        <>
          <SegmentedControl
            size="xs"
            aria-label="Lines of the log"
            data={Object.keys(LEAST)}
            value={level}
            onChange={(choice) => setLevel(choice === 'all' ? null : choice)}
          />
          {lines.length > 0 && (
            <Button size="compact-xs" variant="default" onClick={save}>
              NDJSON
            </Button>
          )}
        </>
      }
    >
      {shown.length === 0 ? (
        <EmptyState title={lines.length === 0 ? 'Nothing was logged' : 'No such line'}>
          {isOver
            ? 'The lines of a job are kept for some time after its end, at the level that the log had then.'
            : 'Lines appear here as the steps of the job write them.'}
        </EmptyState>
      ) : (
        <div className="log" tabIndex={0} role="log" aria-label="Log of the job">
          <ol>
            {shown.map((line) => (
              <LogLine key={line.id} line={line} />
            ))}
          </ol>
        </div>
      )}
    </Panel>
  );
}

function LogLine({ line: { at, level, source, step, attempt, message, detail } }: { line: JobLogLine }) {
  const figures = Object.entries(detail)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('  ');
  return (
    <li>
      <Group gap="xs" wrap="wrap">
        <time dateTime={at} title={`${at}, ${source}`}>
          {at.slice(11, 23)}
        </time>
        {COLORS[level] && (
          <Badge size="xs" color={COLORS[level]} variant="outline" autoContrast>
            {level}
          </Badge>
        )}
        <span>{message}</span>
        {step !== null && attempt !== null && attempt > 1 && <span>(attempt {attempt})</span>}
        {figures && (
          <Text span size="xs" c="dimmed">
            {figures}
          </Text>
        )}
      </Group>
    </li>
  );
}
