import type { EChartsOption } from 'echarts';
import type { ReportTable } from '../report-document.js';

/** A picture before it is drawn; the page scales it, so that the size is one of proportions. */
export interface Drawing {
  height: number;
  option: EChartsOption;
}

/** What a colour or a mark stands for; shown as text below the picture. */
export interface LegendEntry {
  name: string;
  colour: string;
  mark: 'line' | 'dashes' | 'dot' | 'band' | 'bar' | 'none';
}

/** How one kind of plot is told and drawn: one object a kind, found through `plot-kinds.ts`. */
export interface PlotKind<Plot> {
  /** One sentence on how to read it. */
  reading: string;
  /** Why there is nothing to draw, or null. */
  emptyReason(plot: Plot): string | null;
  /** The picture in words, for those who do not see it. */
  describe(plot: Plot): string;
  legend(plot: Plot): LegendEntry[];
  draw(plot: Plot): Drawing;
  /** The figures that were drawn. */
  table(plot: Plot): ReportTable;
}

/** Every picture is this wide before it is scaled. */
export const WIDTH = 400;

/** A table of many points is shown in this many rows; the whole is in the JSON of the report. */
export const MOST_TABLE_ROWS = 50;

/** What a table of thinned points says below it. */
export function thinnedNote(shown: number, all: number): string | undefined {
  return shown < all ? `${shown} of ${all} points; all are in the JSON of this report.` : undefined;
}
