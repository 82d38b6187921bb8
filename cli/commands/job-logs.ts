import type { Command } from 'commander';
import type { components } from '../../clients/typescript/client.js';
import { LINE_LEVELS, type LineLevel } from '../../core/names.js';
import { addCommand, addLimitOption } from '../command-run.js';
import { exitCodeOf, followJob } from '../follow-job.js';

type JobLogLine = components['schemas']['JobLogLine'];

/** `10:15:00.120 warn  fitModel failed (attempt 2)  code=training_timeout`. */
export function describeLine({ at, level, message, attempt, detail }: JobLogLine): string {
  const again = attempt !== null && attempt > 1 ? ` (attempt ${attempt})` : '';
  const figures = Object.entries(detail).map(
    ([name, value]) => `  ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return `${at.slice(11, 23)} ${level.padEnd(5)} ${message}${again}${figures.join('')}`;
}

/** `jobs logs`: what a job has logged, and follows it. */
export function addJobLogsCommand(group: Command): void {
  addCommand<{ follow?: boolean; level?: LineLevel; limit: number }>(group, 'logs <job>', {
    summary: 'what a job has logged, oldest first: its stages, each attempt of its steps, what went wrong',
    examples: [
      'mlops jobs logs "$JOB"',
      'mlops jobs logs "$JOB" --follow',
      'mlops jobs logs "$JOB" --level warn --json',
    ],
    options: (command) =>
      addLimitOption(
        command
          .option('-f, --follow', 'go on until the job has ended; with --json one document a line of the log')
          .addOption(command.createOption('--level <level>', 'this level and above').choices(LINE_LEVELS)),
        'the newest so many; without effect with --follow',
        200,
      ),
    async act({ connection, terminal, options: { follow, level, limit }, args }) {
      const path = { job_id: args[0]! };
      if (!follow) {
        const page = await connection.client.get('/jobs/{job_id}/logs', { path, query: { level, limit } });
        for (const line of page.items.toReversed()) terminal.print(describeLine(line as JobLogLine));
        if (page.items.length === 0) terminal.print('Nothing of it is in the log.');
        terminal.printJson(page);
        return;
      }
      const least = LINE_LEVELS.indexOf(level ?? 'trace');
      const job = await followJob(connection, terminal, path.job_id, (line) => {
        if (LINE_LEVELS.indexOf(line.level) < least) return;
        terminal.print(describeLine(line));
        terminal.printJson(line);
      });
      return exitCodeOf(job);
    },
  });
}
