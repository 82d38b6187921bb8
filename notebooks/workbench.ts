import * as echarts from 'echarts';
import { createClient, type components } from '../clients/typescript/client.js';

/** The service: `npm start` unless MLOPS_URL names another; MLOPS_TOKEN is who asks. */
const token = process.env['MLOPS_TOKEN'];
export const api = createClient(process.env['MLOPS_URL'] || 'http://127.0.0.1:8080', {
  headers: token ? { authorization: `Bearer ${token}` } : {},
});

export type Job = components['schemas']['Job'];

/** Waits for the end of a job. @returns its result @throws Error with the reason, where it failed */
export async function follow(jobId: string): Promise<Record<string, unknown>> {
  for (;;) {
    const job = await api.get('/jobs/{job_id}', { path: { job_id: jobId } });
    if (job.status === 'completed') return job.result as Record<string, unknown>;
    if (job.status === 'failed' || job.status === 'cancelled')
      throw new Error(`${job.type} ${jobId} has ${job.status}: ${JSON.stringify(job.error)}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

/** A chart as SVG, for `tslab.display.html`. @param option of ECharts; it decides colours and axes unless the option does */
export function chart(option: echarts.EChartsCoreOption, { width = 720, height = 320 } = {}): string {
  const drawn = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  drawn.setOption({ animation: false, grid: { containLabel: true, left: 24, right: 24, bottom: 24 }, ...option });
  const svg = drawn.renderToSVGString();
  drawn.dispose();
  return svg;
}

const escape = (value: unknown) => `${value}`.replaceAll(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);

/** Rows as an HTML table; numbers with four digits. */
export function table(headings: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const cell = (value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? String(Number(value.toPrecision(4))) : escape(value ?? '–');
  const line = (tag: string, cells: readonly unknown[]) =>
    `<tr>${cells.map((one) => `<${tag}>${cell(one)}</${tag}>`).join('')}</tr>`;
  return `<table>${line('th', headings)}${rows.map((row) => line('td', row)).join('')}</table>`;
}

/** Counts of values in `bins` equal steps. @returns the middle of each step and its count */
export function histogram(values: readonly number[], bins = 20): [middle: number, count: number][] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const width = (high - low) / bins || 1;
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) counts[Math.min(bins - 1, Math.floor((value - low) / width))]!++;
  return counts.map((count, at) => [Number((low + (at + 0.5) * width).toPrecision(4)), count]);
}

/** Pearson's correlation in [-1, 1]; NaN where a column does not vary. */
export function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let at = 0; at < a.length; at++) {
    ab += (a[at]! - meanA) * (b[at]! - meanB);
    aa += (a[at]! - meanA) ** 2;
    bb += (b[at]! - meanB) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}
