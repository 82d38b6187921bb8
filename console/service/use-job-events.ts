import { useQueryClient } from '@tanstack/react-query';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { useEffect, useState } from 'react';
import { sendSigned, type components } from './client.js';

export type JobStatus = components['schemas']['JobStatus'];

const AGAIN_MS = 2000;
export const isOver = (status: string): boolean => ['completed', 'failed', 'cancelled'].includes(status);

/**
 * Follows a job by its stream of events until it has ended, through breaks of the connection; then all that is shown is read again.
 * (`EventSource` cannot send a token, so the stream is read from `fetch`.)
 * @returns the latest status, and the stages in the order in which they were seen
 */
export function useJobEvents(jobId: string): { status?: JobStatus; stages: string[] } {
  const queries = useQueryClient();
  const [state, setState] = useState<{ status?: JobStatus; stages: string[] }>({ stages: [] });
  useEffect(() => {
    const stop = new AbortController();
    setState({ stages: [] });
    void followJob(jobId, stop.signal, (status) => {
      setState(({ stages }) => ({
        status,
        stages: stages.at(-1) === status.stage ? stages : [...stages, status.stage],
      }));
      if (isOver(status.status)) void queries.invalidateQueries();
    });
    return () => stop.abort();
  }, [jobId, queries]);
  return state;
}

async function followJob(jobId: string, signal: AbortSignal, tell: (status: JobStatus) => void): Promise<void> {
  while (!signal.aborted) {
    try {
      const response = await sendSigned(`/jobs/${encodeURIComponent(jobId)}/events`, { signal });
      // What is wrong with the job or the caller is said by the page, which reads the job, too.
      if (response.status >= 400 && response.status < 500) return;
      if (response.ok && response.body) {
        for await (const status of statusesOf(response.body)) {
          tell(status);
          if (isOver(status.status)) return;
        }
      }
    } catch {
      // The connection broke; a service that restarts is back in a moment.
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

async function* statusesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<JobStatus> {
  const events = body
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .pipeThrough(new EventSourceParserStream())
    .getReader();
  for (;;) {
    const { done, value } = await events.read();
    if (done) return;
    if (value.event === 'status') yield JSON.parse(value.data) as JobStatus;
  }
}
