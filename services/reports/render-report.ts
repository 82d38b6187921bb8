import { drawSvg } from './draw-svg.js';
import { escapeHtml } from './escape-html.js';
import { formatCell } from './format-value.js';
import { PAGE_STYLE } from './page-style.js';
import type { LegendEntry } from './plots/plot-kind.js';
import { plotKindOf } from './plots/plot-kinds.js';
import type { ReportCell, ReportDocument, ReportPlot, ReportSection, ReportTable } from './report-document.js';

/** What the page may do: nothing but show itself. Goes into the page, and into the header of the answer that carries it. */
export const REPORT_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/**
 * One HTML file that needs nothing else: no script, no font, no address outside itself. Every text of the document is escaped,
 * as names of columns and classes come from users.
 */
export function renderReport(document: ReportDocument): string {
  const { title, model, version, summary, facts, warnings, sections } = document;
  const heading = escapeHtml(title);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(REPORT_CSP)}">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${heading}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<main>
<header>
<h1>${heading}</h1>
<p class="of">${escapeHtml(version ? `${model}, version ${version}` : model)}</p>
${listCard(summary, 'summary')}
${warnings.length > 0 ? `<section class="card warnings" aria-label="Warnings"><h3>Before you rely on it</h3>${list(warnings)}</section>` : ''}
${facts.length > 0 ? `<dl class="card">${facts.map(renderFact).join('')}</dl>` : ''}
${renderContents(sections)}
</header>
${sections.map(renderSection).join('\n')}
<footer>Brackets hold 95 % intervals where nothing else is said. The figures are those of the version; the same report as data is at this address with <code>Accept: application/json</code>.</footer>
</main>
</body>
</html>
`;
}

const list = (items: readonly string[]): string =>
  `<ul class="summary">${items.map((item) => `<li>${escapeHtml(item)}</li>`).join('')}</ul>`;

const listCard = (items: readonly string[], label: string): string =>
  items.length > 0 ? `<section class="card" aria-label="${label}">${list(items)}</section>` : '';

const renderFact = ([name, value]: readonly [string, string]): string =>
  `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`;

function renderContents(sections: readonly ReportSection[]): string {
  if (sections.length < 2) return '';
  const links = sections.map(({ title }, index) => `<li><a href="#section-${index}">${escapeHtml(title)}</a></li>`);
  return `<nav aria-label="Contents"><ul>${links.join('')}</ul></nav>`;
}

function renderSection({ title, text, plots, tables }: ReportSection, index: number): string {
  const drawn = plots.map((plot, at) => renderPlot(plot, `p${index}-${at}`)).join('\n');
  const listed = tables
    .map((table) => `<div class="card"><h3>${escapeHtml(table.title)}</h3>${renderTable(table)}</div>`)
    .join('\n');
  return `<section id="section-${index}">
<h2>${escapeHtml(title)}</h2>
${text ? `<p>${escapeHtml(text)}</p>` : ''}
${plots.length > 0 ? `<div class="plots">${drawn}${listed}</div>` : listed}
</section>`;
}

function renderPlot(plot: ReportPlot, id: string): string {
  const kind = plotKindOf(plot);
  const title = `<h3>${escapeHtml(plot.title)}</h3>`;
  if (!kind)
    return `<figure class="card"><figcaption>${title}</figcaption>${empty(`This release cannot draw “${plot.kind}”.`)}</figure>`;
  const caption = `<figcaption>${title}<p>${escapeHtml(plot.reading ?? kind.reading)}</p></figcaption>`;
  const reason = kind.emptyReason(plot);
  if (reason !== null) return `<figure class="card" data-plot="${plot.kind}">${caption}${empty(reason)}</figure>`;
  const label = `${plot.title}. ${kind.describe(plot)}`;
  return `<figure class="card" data-plot="${plot.kind}">${caption}
${drawSvg(kind.draw(plot), id, label)}
${renderLegend(kind.legend(plot))}
<details><summary>The figures</summary>${renderTable(kind.table(plot))}</details>
</figure>`;
}

const empty = (reason: string): string => `<p class="empty">${escapeHtml(reason)}</p>`;

function renderLegend(entries: readonly LegendEntry[]): string {
  if (entries.length === 0) return '';
  const items = entries.map(
    (entry) => `<li>${entry.mark === 'none' ? '' : swatch(entry)}<span>${escapeHtml(entry.name)}</span></li>`,
  );
  return `<ul class="legend">${items.join('')}</ul>`;
}

/** Colours are those of `plots/axes.ts`, never of a user. */
function swatch({ mark, colour }: LegendEntry): string {
  const shape = {
    line: `<path d="M1 6H21" stroke="${colour}" stroke-width="2.5"/>`,
    dashes: `<path d="M1 6H21" stroke="${colour}" stroke-width="2" stroke-dasharray="4 3"/>`,
    dot: `<circle cx="11" cy="6" r="4" fill="${colour}"/>`,
    band: `<rect x="1" y="1" width="20" height="10" fill="${colour}" opacity="0.35"/>`,
    none: '',
    bar: `<rect x="4" y="1" width="14" height="10" fill="${colour}"/>`,
  }[mark];
  return `<svg viewBox="0 0 22 12" aria-hidden="true">${shape}</svg>`;
}

function renderTable({ title, columns, rows, note }: ReportTable): string {
  if (rows.length === 0) return empty('There is nothing to list.');
  const isNumber = columns.map((_, column) => rows.every((row) => typeof row[column] !== 'string'));
  const mark = (column: number): string => (isNumber[column] ? ' class="number"' : '');
  const cell = (value: ReportCell | undefined, column: number): string =>
    `<td${mark(column)}>${escapeHtml(formatCell(value))}</td>`;
  return `<div class="wide"><table aria-label="${escapeHtml(title)}"><thead><tr>${columns
    .map((name, column) => `<th scope="col"${mark(column)}>${escapeHtml(name)}</th>`)
    .join('')}</tr></thead><tbody>${rows
    .map((row) => `<tr>${columns.map((_, column) => cell(row[column], column)).join('')}</tr>`)
    .join('')}</tbody></table></div>${note ? `<p class="note">${escapeHtml(note)}</p>` : ''}`;
}
