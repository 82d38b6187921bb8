import { useQueryClient } from '@tanstack/react-query';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { useEffect, useState } from 'react';
import { sendSigned, type components } from './client.js';

export type JobStatus = components['schemas']['JobStatus'];
export type JobLogLine = components['schemas']['JobLogLine'] & { detail: Record<string, unknown> };

const AGAIN_MS = 2000;
export const isOver = (status: string): boolean => ['completed', 'failed', 'cancelled'].includes(status);

/**
 * Follows a job by its stream of events until it has ended, through breaks of the connection; then all that is shown is read again.
 * (`EventSource` cannot send a token, so the stream is read from `fetch`.)
 * @returns the latest status, the stages in the order in which they were seen, and what was logged
 */
export function useJobEvents(jobId: string): JobFollowed {
  const queries = useQueryClient();
  const [state, setState] = useState<JobFollowed>(NOTHING);
  useEffect(() => {
    const stop = new AbortController();
    setState(NOTHING);
    void followJob(jobId, stop.signal, ({ status, lines }) => {
      setState((before) => withNews(before, status, lines));
      if (status && isOver(status.status)) void queries.invalidateQueries();
    });
    return () => stop.abort();
  }, [jobId, queries]);
  return state;
}

export interface JobFollowed {
  status?: JobStatus;
  stages: string[];
  lines: JobLogLine[];
}
interface News {
  status?: JobStatus;
  lines: JobLogLine[];
}
const NOTHING: JobFollowed = { stages: [], lines: [] };

function withNews(before: JobFollowed, status: JobStatus | undefined, lines: readonly JobLogLine[]): JobFollowed {
  const stages =
    status === undefined || before.stages.at(-1) === status.stage ? before.stages : [...before.stages, status.stage];
  return {
    status: status ?? before.status,
    stages,
    lines: lines.length > 0 ? [...before.lines, ...lines] : before.lines,
  };
}

async function followJob(jobId: string, signal: AbortSignal, tell: (news: News) => void): Promise<void> {
  let last = '0';
  while (!signal.aborted) {
    try {
      const response = await sendSigned(`/jobs/${encodeURIComponent(jobId)}/events?logs_after=${last}`, { signal });
      // What is wrong with the job or the caller is said by the page, which reads the job, too.
      if (response.status >= 400 && response.status < 500 && response.status !== 429) return;
      if (response.ok && response.body) {
        for await (const news of newsOf(response.body)) {
          tell(news);
          last = news.lines.at(-1)?.id ?? last;
          if (news.status && isOver(news.status.status)) return;
        }
      }
    } catch {
      // The connection broke; a service that restarts is back in a moment.
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** What came; lines that come at once are told at once. */
async function* newsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<News> {
  const events = body
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .pipeThrough(new EventSourceParserStream())
    .getReader();
  let lines: JobLogLine[] = [];
  let next = events.read();
  for (;;) {
    const { done, value } = await next;
    if (done) break;
    next = events.read();
    if (value.event === 'log') lines.push(JSON.parse(value.data) as JobLogLine);
    const status = value.event === 'status' ? (JSON.parse(value.data) as JobStatus) : undefined;
    const isMoreThere = await Promise.race([next.then(() => true), new Promise((tell) => setTimeout(tell, 0, false))]);
    if (!status && (lines.length === 0 || isMoreThere)) continue;
    yield { status, lines };
    lines = [];
  }
  if (lines.length > 0) yield { lines };
}
