import type { Command } from 'commander';
import { addCommand, addGroup, addLimitOption } from '../command-run.js';
import { getIfKnown } from '../connection.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { renderTable } from '../terminal.js';

interface WindowOptions {
  from?: string;
  to?: string;
}

const windowOptions = (command: Command) =>
  command
    .option('--from <day>', 'the first day, UTC; 29 days before the last by default')
    .option('--to <day>', 'the last day, UTC, included; today by default');

const windowOf = (model: string, { from, to }: WindowOptions) => ({
  model_type: model,
  start_date: from,
  end_date: to,
});

/** The part of an answer that is shown; it is printed whole with --json. */
interface Drift {
  columns: {
    subject: string;
    segment: string;
    alarms: number;
    series: { state: string; severity: string; at: string; cause?: string }[];
  }[];
}
interface Performance {
  versions: {
    version: string;
    segment: string;
    requests: number;
    labelled: number;
    heads: Record<string, Record<string, { value?: number | null; lower?: number | null; upper?: number | null }>>;
  }[];
  note: string | null;
}
interface Alert {
  alert_id: string;
  model: string;
  subject: string;
  severity: string;
  status: string;
  opened_at: string;
  summary: string;
}

/** `drift`, `performance`, `alerts` and `audit`. */
export function addWatchCommands(program: Command): void {
  addAnalyticsCommands(program);
  addAlertCommands(addGroup(program, 'alerts', 'alerts: list, acknowledge'));
  addCommand(addGroup(program, 'audit', 'the audit log: verify'), 'verify', {
    summary: 'check the chain of the audit log from end to end; ends with 1 when it is broken',
    examples: ['mlops audit verify'],
    async act({ connection, terminal }) {
      const chain = (await getIfKnown(connection, '/audit/verify')) as {
        intact: boolean;
        entries: number;
        first_broken?: unknown;
      };
      terminal.print(
        chain.intact
          ? `The audit log is intact: ${chain.entries} entries.`
          : `The audit log is broken at ${JSON.stringify(chain.first_broken)}: an entry was changed or removed there.`,
      );
      terminal.printJson(chain);
      return chain.intact ? EXIT.ok : EXIT.failed;
    },
  });
}

function addAnalyticsCommands(program: Command): void {
  addCommand<WindowOptions>(program, 'drift <model>', {
    summary: 'how columns and answers have moved; ends with 1 when the latest window of one is an alarm',
    examples: ['mlops drift user_behavior --from 2026-01-01'],
    options: windowOptions,
    async act({ connection, terminal, options, args }): Promise<ExitCode> {
      const drift = (await getIfKnown(connection, '/analytics/drift', windowOf(args[0]!, options))) as Drift;
      const latest = drift.columns.map((column) => ({ column, last: column.series.at(-1) }));
      terminal.print(
        renderTable(
          ['SUBJECT', 'SEGMENT', 'STATE', 'SEVERITY', 'ALARMS', 'CAUSE', 'AT'],
          latest.map(({ column: { subject, segment, alarms }, last }) => [
            subject,
            segment,
            last?.state,
            last?.severity,
            alarms,
            last?.cause,
            last?.at,
          ]),
        ),
      );
      terminal.printJson(drift);
      return latest.some(({ last }) => last?.state === 'alarm') ? EXIT.failed : EXIT.ok;
    },
  });
  addCommand<WindowOptions>(program, 'performance <model>', {
    summary: 'how good served versions are, by what turned out to be true',
    examples: ['mlops performance user_behavior'],
    options: windowOptions,
    async act({ connection, terminal, options, args }) {
      const path = '/analytics/model-performance';
      const found = (await getIfKnown(connection, path, windowOf(args[0]!, options))) as Performance;
      const rows = found.versions.flatMap(({ version, segment, requests, labelled, heads }) =>
        Object.entries(heads).flatMap(([head, metrics]) =>
          Object.entries(metrics).map(([metric, { value, lower, upper }]) => [
            version,
            segment,
            requests,
            labelled,
            head,
            metric,
            value,
            lower,
            upper,
          ]),
        ),
      );
      const headings = ['VERSION', 'SEGMENT', 'REQUESTS', 'LABELLED', 'HEAD', 'METRIC', 'VALUE', 'LOWER', 'UPPER'];
      terminal.print(rows.length > 0 ? renderTable(headings, rows) : (found.note ?? 'Nothing is known yet.'));
      terminal.printJson(found);
    },
  });
}

function addAlertCommands(group: Command): void {
  addCommand<{ model?: string; status?: string; limit: number }>(group, 'list', {
    summary: 'alerts, newest first; ends with 1 when one is open',
    examples: ['mlops alerts list', 'mlops alerts list --model user_behavior --status open --json'],
    options: (command) =>
      addLimitOption(
        command
          .option('--model <model>', 'only of this model')
          .addOption(
            command
              .createOption('--status <status>', 'only of this status')
              .choices(['open', 'acknowledged', 'resolved']),
          ),
      ),
    async act({ connection, terminal, options: { model, status, limit } }) {
      const page = (await getIfKnown(connection, '/alerts', { model, status, limit: String(limit) })) as {
        items: Alert[];
      };
      terminal.print(
        renderTable(
          ['ALERT', 'MODEL', 'SUBJECT', 'SEVERITY', 'STATUS', 'OPENED', 'SUMMARY'],
          page.items.map((one) => [
            one.alert_id,
            one.model,
            one.subject,
            one.severity,
            one.status,
            one.opened_at,
            one.summary,
          ]),
        ),
      );
      terminal.printJson(page);
      return page.items.some((one) => one.status === 'open') ? EXIT.failed : EXIT.ok;
    },
  });
  addCommand(group, 'acknowledge <alert>', {
    summary: 'say that you have seen an alert',
    examples: ['mlops alerts acknowledge "$ALERT"'],
    async act({ connection, terminal, args }) {
      const answer = await connection.post(`/alerts/${encodeURIComponent(args[0]!)}/acknowledge`);
      terminal.print(`You have acknowledged ${args[0]!}.`);
      terminal.printJson(answer);
    },
  });
}
