import { CustomChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { dropControls, escapeHtml } from './escape-html.js';
import { FONT_FAMILY } from './plots/axes.js';
import { WIDTH, type Drawing } from './plots/plot-kind.js';

use([CustomChart, LineChart, ScatterChart, GridComponent, SVGRenderer]);

/**
 * Draws a picture as one SVG element that stands in a page: no ids that could meet those of another picture, no script, no
 * style sheet, no size of its own.
 * @param id unique in the page
 * @param label the picture in words
 */
export function drawSvg({ option, height }: Drawing, id: string, label: string): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  try {
    chart.setOption({
      animation: false,
      useUTC: true,
      backgroundColor: 'transparent',
      textStyle: { fontFamily: FONT_FAMILY },
      ...option,
    });
    return tidy(dropControls(chart.renderToSVGString()), id, label);
  } finally {
    chart.dispose();
  }
}

/** In the renderer's output every quote within a text is an entity, so that attributes can be told by their quotes. */
function tidy(svg: string, id: string, label: string): string {
  const body = svg
    .replace(/^<svg[^>]*>/, '')
    .replace(/<style[\s\S]*?<\/style>/g, '')
    .replace(/<rect [^>]*fill="none"><\/rect>/, '')
    .replace(/ (?:class|pointer-events|ecmeta_[a-z_]+)="[^"]*"/g, '')
    .replace(/(id="|url\(#)zr\d+-/g, `$1${id}-`)
    .replace(/ style="([^"]*)"/g, (_, style: string) => ` style="${style.replace(`font-family:${FONT_FAMILY};`, '')}"`)
    .replace(/\n+/g, '\n');
  const [, height] = /viewBox="0 0 \d+ (\d+)"/.exec(svg) ?? [];
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(label)}">${body}`;
}
