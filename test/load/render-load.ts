import { escapeHtml } from '../../services/reports/escape-html.js';
import { summariseMemory, type MemorySample } from './memory-watch.js';
import type { LoadResult, Second } from './run-load.js';

const WIDTH = 720;
const HEIGHT = 180;
const LEFT = 56;
const BOTTOM = 24;
const LINES = [
  { name: 'p99', colour: '#c2410c', of: ({ p99Ms }: Second) => p99Ms },
  { name: 'p50', colour: '#1d4ed8', of: ({ p50Ms }: Second) => p50Ms },
] as const;

const ms = (value: number) =>
  Number.isFinite(value) ? `${value < 10 ? value.toFixed(1) : Math.round(value)} ms` : '–';

/** Latency by second on the left scale, and requests a second as grey bars behind it. */
function drawCurve(seconds: readonly Second[]): string {
  if (seconds.length === 0) return '<p>No request was answered.</p>';
  const last = Math.max(1, seconds.at(-1)!.second);
  const mostMs = Math.max(1, ...seconds.map(({ p99Ms }) => p99Ms));
  const mostRequests = Math.max(...seconds.map(({ requests }) => requests));
  const x = (second: number) => LEFT + (second / last) * (WIDTH - LEFT - 8);
  const y = (share: number) => 8 + (1 - share) * (HEIGHT - BOTTOM - 8);
  const bar = Math.max(1, (WIDTH - LEFT) / (last + 1) - 1);
  const bars = seconds.map(
    ({ second, requests }) =>
      `<rect x="${x(second) - bar / 2}" y="${y(requests / mostRequests)}" width="${bar}" height="${y(0) - y(requests / mostRequests)}" fill="#e5e7eb"/>`,
  );
  const lines = LINES.map(
    ({ colour, of }) =>
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${seconds.map((one) => `${x(one.second)},${y(of(one) / mostMs)}`).join(' ')}"/>`,
  );
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Latency by second">${bars.join('')}${lines.join('')}
<text x="4" y="16">${ms(mostMs)}</text><text x="4" y="${y(0)}">0</text>
<text x="${LEFT}" y="${HEIGHT - 6}">0 s</text><text x="${WIDTH - 40}" y="${HEIGHT - 6}">${last + 1} s</text></svg>
<p class="legend">${LINES.map(({ name, colour }) => `<span style="color:${colour}">■</span> ${name}`).join(' ')} <span style="color:#9ca3af">■</span> requests, at most ${mostRequests} a second</p>`;
}

/** Nothing for a load that ended before the first look. */
function renderMemory(memory: readonly MemorySample[]): string {
  const shown = summariseMemory(memory);
  if (shown.length === 0) return '';
  const row = (name: string, of: (sample: MemorySample) => number) =>
    `<tr><th>${name}</th>${shown.map((sample) => `<td>${of(sample)}</td>`).join('')}</tr>`;
  return `<table>${row('after, s', ({ second }) => second)}${row('resident, MiB', ({ residentMib }) => residentMib)}${row('heap, MiB', ({ heapMib }) => heapMib)}</table>
`;
}

function renderResult({ scenario, problems, versions, seconds, memory, ...figures }: LoadResult): string {
  const { requests, answered, refused, p50Ms, p95Ms, p99Ms, mostMs } = figures;
  return `<section><h2>${escapeHtml(scenario.name)}</h2><p>${escapeHtml(scenario.purpose)}</p>
<table><tr><th>requests</th><th>answered</th><th>turned away (429)</th><th>p50</th><th>p95</th><th>p99</th><th>slowest</th></tr>
<tr><td>${requests}</td><td>${answered}</td><td>${refused}</td><td>${ms(p50Ms)}</td><td>${ms(p95Ms)}</td><td>${ms(p99Ms)}</td><td>${ms(mostMs)}</td></tr></table>
${drawCurve(seconds)}
${renderMemory(memory)}<p>Versions: ${escapeHtml(versions.join(', ') || 'none')}</p>
${problems.length > 0 ? `<ul class="problems">${problems.map((problem) => `<li>${escapeHtml(problem)}</li>`).join('')}</ul>` : '<p>No wrong answer.</p>'}</section>`;
}

/** One HTML file that needs nothing else. */
export function renderLoad(url: string, at: Date, results: readonly LoadResult[]): string {
  const wrong = results.flatMap(({ problems }) => problems).length;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Load test</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:780px;margin:2rem auto;padding:0 1rem;color:#111827}
table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left}svg text{font-size:11px;fill:#6b7280}
.problems{color:#b91c1c}.legend{color:#4b5563}</style></head>
<body><h1>Load test</h1><p>${escapeHtml(url)}, ${escapeHtml(at.toISOString())}. ${wrong === 0 ? 'All answers are as they should be.' : `<strong class="problems">${wrong} problems.</strong>`}
Latency counts from when a request was due, whether or not the former were answered.</p>
${results.map(renderResult).join('\n')}
</body></html>
`;
}
