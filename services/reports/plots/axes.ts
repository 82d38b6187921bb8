import type { XAXisComponentOption, YAXisComponentOption } from 'echarts';
import { formatNumber } from '../format-value.js';

/** Colours are named, not given: the page says what they are in light, in dark and on paper. */
export const INK = 'var(--ink)';
export const MUTED = 'var(--muted)';
export const GRID = 'var(--grid)';
export const BAD = 'var(--bad)';
export const GOOD = 'var(--good)';
export const COLOURS = ['var(--c1)', 'var(--c2)', 'var(--c3)', 'var(--c4)', 'var(--c5)', 'var(--c6)'] as const;

/** The colour of the n-th curve; where they run out they begin again, with another line style. */
export const colourOf = (index: number): string => COLOURS[index % COLOURS.length]!;
export const dashOf = (index: number): 'solid' | 'dashed' => (index < COLOURS.length ? 'solid' : 'dashed');

export const FONT_SIZE = 12;
export const FONT_FAMILY = 'system-ui';

const LINES = {
  axisLine: { show: true, lineStyle: { color: MUTED } },
  axisTick: { show: false },
  splitLine: { show: true, lineStyle: { color: GRID } },
} as const;

const LABEL = { color: MUTED, fontSize: FONT_SIZE, hideOverlap: true } as const;
const NAME = { color: MUTED, fontSize: FONT_SIZE } as const;

type Range = { min?: number; max?: number; gridIndex?: number; splitNumber?: number; interval?: number };

/** Numbers from left to right, with the name in the middle below. */
export function xAxis(name: string, range: Range = {}): XAXisComponentOption {
  return {
    type: 'value',
    scale: true,
    name,
    nameLocation: 'middle',
    nameGap: 26,
    nameTextStyle: NAME,
    splitNumber: 4,
    ...LINES,
    axisLabel: { ...LABEL, formatter: shortNumber },
    ...range,
  };
}

/** Numbers from bottom to top, with the name above the axis, where it reads without turning the head. */
export function yAxis(name: string, range: Range = {}): YAXisComponentOption {
  return {
    type: 'value',
    scale: true,
    name,
    nameLocation: 'end',
    nameGap: 10,
    nameTextStyle: { ...NAME, align: 'left', padding: [0, 0, 0, -34] },
    splitNumber: 4,
    ...LINES,
    axisLabel: { ...LABEL, formatter: shortNumber },
    ...range,
  };
}

/** UTC times from left to right. */
export function timeAxis(): XAXisComponentOption {
  return {
    type: 'time',
    ...LINES,
    splitNumber: 4,
    splitLine: { show: false },
    axisLabel: { ...LABEL, formatter: timeLabels },
  };
}

/** Room for names at the left of a plot, and the characters that surely fit into it. */
export const NAMES_WIDTH = 150;
const MOST_CHARACTERS = 20;
const SEGMENTER = new Intl.Segmenter('en');

/**
 * A name that fits: the middle is left out, as names often differ at either end. The whole stands in the table below the plot.
 * The renderer cannot measure text without a browser, so that it must not do the cutting.
 */
export function shorten(name: string, most: number = MOST_CHARACTERS): string {
  const characters = Array.from(SEGMENTER.segment(name.replace(/\s+/g, ' ')), ({ segment }) => segment);
  if (characters.length <= most) return characters.join('');
  const end = Math.floor((most - 1) / 2);
  return `${characters.slice(0, most - 1 - end).join('')}…${characters.slice(characters.length - end).join('')}`;
}

/** Names from top to bottom; they should be short enough. */
export function nameAxis(names: readonly string[]): YAXisComponentOption {
  return {
    type: 'category',
    inverse: true,
    data: [...names],
    axisLine: LINES.axisLine,
    axisTick: { show: false },
    axisLabel: { color: INK, fontSize: FONT_SIZE, interval: 0 },
  };
}

/** The least and the largest finite number; both 0 where there is none. */
export function extentOf(values: readonly (number | null)[]): { lowest: number; highest: number } {
  let [lowest, highest] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null || !Number.isFinite(value)) continue;
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
  }
  return lowest <= highest ? { lowest, highest } : { lowest: 0, highest: 0 };
}

/** Ends and steps of an axis that hold both values, with round numbers at the ends. */
export function roundRange(lowest: number, highest: number): { min: number; max: number; interval: number } {
  const spread = highest > lowest ? highest - lowest : Math.max(1e-9, Math.abs(highest)) || 1;
  const power = 10 ** Math.floor(Math.log10(spread / 4));
  const interval = [1, 2, 5, 10].map((step) => step * power).find((step) => spread / step <= 5)!;
  const min = Math.floor(lowest / interval) * interval;
  const max = Math.ceil(highest / interval) * interval;
  return { min, max: max > min ? max : min + interval, interval };
}

/** 25,000 as `25k`: an axis has no room for more. */
function shortNumber(value: number): string {
  const size = Math.abs(value);
  for (const [unit, letter] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e4, 'k'],
  ] as const)
    if (size >= unit) return `${formatNumber(value / (letter === 'k' ? 1000 : unit))}${letter}`;
  return formatNumber(value);
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** The coarsest part of the time that the tick begins: a year, a month, a day, or an hour. */
function timeLabels(value: number): string {
  const time = new Date(value);
  const [month, day] = [time.getUTCMonth(), time.getUTCDate()];
  if (value % 86_400_000 !== 0) return time.toISOString().slice(11, 16);
  if (day === 1) return month === 0 ? String(time.getUTCFullYear()) : MONTHS[month]!;
  return `${day} ${MONTHS[month]}`;
}
