import type { Command } from 'commander';
import { JOB_STATUSES, JOB_TYPES } from '../../core/names.js';
import { addCommand, addGroup, addLimitOption } from '../command-run.js';
import { EXIT } from '../exit-codes.js';
import { describeEnd, exitCodeOf, finishJob, followJob } from '../follow-job.js';
import { formatSeconds, renderTable } from '../terminal.js';
import { addJobLogsCommand } from './job-logs.js';

/** `jobs`: list, show, watch, logs, error, cancel, retry. */
export function addJobCommands(program: Command): void {
  const group = addGroup(program, 'jobs', 'jobs: list, show, watch, logs, error, cancel, retry');
  addListCommand(group);
  addCommand(group, 'show <job>', {
    summary: 'a job with its request, its times, and its result or error',
    examples: ['mlops jobs show "$JOB"', 'mlops jobs show "$JOB" --json'],
    async act({ connection, terminal, args }) {
      const job = await connection.client.get('/jobs/{job_id}', { path: { job_id: args[0]! } });
      for (const line of describeEnd(job)) terminal.print(line);
      terminal.print(
        `  stage ${job.stage}, ${Math.round(job.progress * 100)} %, created ${job.created_at}, took ${tookOf(job)}`,
      );
      terminal.print(`  request: ${JSON.stringify(job.request)}`);
      terminal.printJson(job);
    },
  });
  addCommand(group, 'watch <job>', {
    summary: 'follow a job to its end',
    examples: ['mlops jobs watch "$JOB"'],
    act: ({ connection, terminal, args }) => finishJob(connection, terminal, { job_id: args[0]! }, true),
  });
  addJobLogsCommand(group);
  addCommand(group, 'error <job>', {
    summary: 'why a job failed, with each path; ends with 1 when it did',
    examples: ['mlops jobs error "$JOB"'],
    async act({ connection, terminal, args }) {
      const job = await connection.client.get('/jobs/{job_id}', { path: { job_id: args[0]! } });
      if (job.error) for (const line of describeEnd(job)) terminal.print(line);
      else terminal.print(`${job.job_id} is ${job.status}: there is no error.`);
      terminal.printJson({
        job_id: job.job_id,
        status: job.status,
        error: job.error,
        correlation_id: job.correlation_id,
      });
      return job.error ? EXIT.failed : EXIT.ok;
    },
  });
  addCommand<{ wait: boolean }>(group, 'cancel <job>', {
    summary: 'cancel a job: a fit is killed, a rollout gives the traffic back',
    examples: ['mlops jobs cancel "$JOB"'],
    options: (command) => command.option('--no-wait', 'do not wait until it has stopped'),
    async act({ connection, terminal, options, args }) {
      const told = await connection.client.post('/jobs/{job_id}/cancel', { path: { job_id: args[0]! } });
      const job = options.wait ? await followJob(connection, terminal, args[0]!) : told;
      terminal.print(`${job.job_id} is ${job.status}.`);
      terminal.printJson(job);
      // What was asked for is that it ends; one that was quicker has still not been cancelled.
      return !options.wait || job.status === 'cancelled' ? EXIT.ok : exitCodeOf(job as never);
    },
  });
  addCommand<{ wait: boolean }>(group, 'retry <job>', {
    summary: 'start a failed or cancelled job again, as a new one',
    examples: ['mlops jobs retry "$JOB"'],
    options: (command) => command.option('--no-wait', 'do not wait for the end of the job'),
    async act({ connection, terminal, options, args }) {
      const accepted = await connection.client.post('/jobs/{job_id}/retry', { path: { job_id: args[0]! } });
      return finishJob(connection, terminal, accepted, options.wait);
    },
  });
}

function addListCommand(group: Command): void {
  addCommand<{ status?: string; type?: string; model?: string; limit: number }>(group, 'list', {
    summary: 'jobs, newest first',
    examples: ['mlops jobs list --status failed', 'mlops jobs list --type train --model user_behavior --json'],
    options: (command) =>
      addLimitOption(
        command
          .addOption(command.createOption('--status <status>', 'only of this status').choices(JOB_STATUSES))
          .addOption(command.createOption('--type <type>', 'only of this type').choices(JOB_TYPES))
          .option('--model <model>', 'only of this model'),
      ),
    async act({ connection, terminal, options: { status, type, model, limit } }) {
      const page = await connection.client.get('/jobs', { query: { status, type, model, limit } });
      terminal.print(
        renderTable(
          ['JOB', 'TYPE', 'MODEL', 'STATUS', 'STAGE', 'TOOK', 'CREATED'],
          page.items.map((one) => [
            one.job_id,
            one.type,
            one.model,
            one.status,
            one.stage,
            tookOf(one),
            one.created_at,
          ]),
        ),
      );
      terminal.printJson(page);
    },
  });
}

function tookOf({
  started_at: start,
  finished_at: end,
}: {
  started_at: string | null;
  finished_at: string | null;
}): string {
  return start === null || end === null ? '-' : formatSeconds((Date.parse(end) - Date.parse(start)) / 1000);
}
