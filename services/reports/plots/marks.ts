import type { CustomSeriesOption, LineSeriesOption, ScatterSeriesOption } from 'echarts';

type Coordinates = readonly [x: number, y: number | null];
type RenderItem = NonNullable<CustomSeriesOption['renderItem']>;
type Where = { xAxisIndex?: number; yAxisIndex?: number; z?: number };

interface LineStyle extends Where {
  colour: string;
  width?: number;
  type?: 'solid' | 'dashed' | 'dotted';
  /** Marks each point; for few of them. */
  hasDots?: boolean;
  step?: 'end';
}

/** A line through points; a null leaves a gap. A single point is shown as a dot. */
export function line(points: readonly Coordinates[], style: LineStyle): LineSeriesOption {
  const { colour, width = 2, type = 'solid', hasDots = points.length === 1, step, ...where } = style;
  return {
    type: 'line',
    silent: true,
    data: points.filter(([x]) => Number.isFinite(x)).map(([x, y]) => [x, isNumber(y) ? y : null]),
    showSymbol: hasDots,
    symbol: 'circle',
    symbolSize: 5,
    lineStyle: { color: colour, width, type },
    itemStyle: { color: colour },
    ...(step ? { step } : {}),
    ...where,
  };
}

export function dots(
  points: readonly Coordinates[],
  style: Where & { colour: string; size: number; opacity?: number; symbol?: 'circle' | 'diamond' },
): ScatterSeriesOption {
  const { colour, size, opacity = 1, symbol = 'circle', ...where } = style;
  return {
    type: 'scatter',
    silent: true,
    data: points.filter((point) => point.every(isNumber)).map((point) => [...point]),
    symbol,
    symbolSize: size,
    itemStyle: { color: colour, opacity },
    ...where,
  };
}

/** The area between two lines. */
export function band(
  points: readonly { x: number; lower: number; upper: number }[],
  style: Where & { colour: string; opacity: number },
): CustomSeriesOption {
  const { colour, opacity, ...where } = style;
  const known = points.filter(({ x, lower, upper }) => [x, lower, upper].every(isNumber));
  const outline = [...known.map(({ x, upper }) => [x, upper]), ...known.map(({ x, lower }) => [x, lower]).reverse()];
  return custom(
    outline,
    (params, api) =>
      params.dataIndex === 0
        ? {
            type: 'polygon',
            shape: { points: outline.map((point) => api.coord(point)) },
            style: { fill: colour, opacity },
          }
        : undefined,
    where,
  );
}

interface Rectangle {
  x: readonly [number, number];
  y: readonly [number, number];
  opacity?: number;
}

/** Boxes between two values of each axis; with a thickness they have it in height, around the value, as on an axis of names. */
export function boxes(
  rectangles: readonly Rectangle[],
  style: Where & { colour: string; opacity?: number; gap?: number; thickness?: number },
): CustomSeriesOption {
  const { colour, opacity = 1, gap = 0, thickness = 0, ...where } = style;
  const known = rectangles.filter(({ x, y }) => [...x, ...y].every(isNumber));
  // Two data points a box, so that the axes reach around it.
  const corners = known.flatMap(({ x, y }) => [
    [x[0], y[0]],
    [x[1], y[1]],
  ]);
  return custom(
    corners,
    (params, api) => {
      const box = known[params.dataIndex / 2];
      if (!box) return undefined;
      const [left, bottom] = api.coord([box.x[0], box.y[0]]) as [number, number];
      const [right, top] = api.coord([box.x[1], box.y[1]]) as [number, number];
      return {
        type: 'rect',
        shape: {
          x: Math.min(left, right) + gap / 2,
          y: Math.min(top, bottom) - thickness / 2,
          width: Math.max(0.5, Math.abs(right - left) - gap),
          height: Math.abs(bottom - top) + thickness,
        },
        style: { fill: colour, opacity: box.opacity ?? opacity },
      };
    },
    where,
  );
}

/** Intervals along one axis: a line with a small bar across each end. */
export function whiskers(
  intervals: readonly { at: number; lower: number; upper: number }[],
  style: Where & { colour: string; along: 'x' | 'y' },
): CustomSeriesOption {
  const { colour, along, ...where } = style;
  const place = (at: number, value: number): [number, number] => (along === 'x' ? [value, at] : [at, value]);
  const known = intervals.filter(({ at, lower, upper }) => [at, lower, upper].every(isNumber));
  return custom(
    known.flatMap(({ at, lower, upper }) => [place(at, lower), place(at, upper)]),
    (params, api) => {
      const interval = known[params.dataIndex / 2];
      if (!interval) return undefined;
      const [x1, y1] = api.coord(place(interval.at, interval.lower)) as [number, number];
      const [x2, y2] = api.coord(place(interval.at, interval.upper)) as [number, number];
      const [dx, dy] = along === 'x' ? [0, 3] : [3, 0];
      const stroke = (ax: number, ay: number, bx: number, by: number) => ({
        type: 'line' as const,
        shape: { x1: ax, y1: ay, x2: bx, y2: by },
        style: { stroke: colour, lineWidth: 1.5, fill: 'none' },
      });
      return {
        type: 'group',
        children: [
          stroke(x1, y1, x2, y2),
          stroke(x1 - dx, y1 - dy, x1 + dx, y1 + dy),
          stroke(x2 - dx, y2 - dy, x2 + dx, y2 + dy),
        ],
      };
    },
    where,
  );
}

/** A line through the whole plot at one value. */
export function rule(
  at: number,
  style: Where & { colour: string; along: 'x' | 'y'; type?: 'dashed' | 'dotted' },
): CustomSeriesOption {
  const { colour, along, type = 'dashed', ...where } = style;
  return custom(
    [along === 'x' ? [null, at] : [at, null]],
    (params, api) => {
      const area = params.coordSys as unknown as { x: number; y: number; width: number; height: number };
      const [x, y] = api.coord(along === 'x' ? [0, at] : [at, 0]) as [number, number];
      const shape =
        along === 'x'
          ? { x1: area.x, y1: y, x2: area.x + area.width, y2: y }
          : { x1: x, y1: area.y, x2: x, y2: area.y + area.height };
      return { type: 'line', shape, style: { stroke: colour, lineWidth: 1.5, lineDash: type, fill: 'none' } };
    },
    where,
  );
}

/** A stored report may hold null where a number was not finite. */
const isNumber = (value: number | null | undefined): value is number => Number.isFinite(value);

function custom(data: (number | null)[][], renderItem: RenderItem, where: Where): CustomSeriesOption {
  return {
    type: 'custom',
    silent: true,
    clip: true,
    data: data as number[][],
    encode: { x: 0, y: 1 },
    renderItem,
    ...where,
  };
}
