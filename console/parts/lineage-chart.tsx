import type { components } from '../service/client.js';
import { formatName } from './format-number.js';

type Graph = components['schemas']['LineageGraph'];

const BOX = { width: 200, height: 46 };
const GAP = { x: 44, y: 14 };

interface Placed {
  id: string;
  kind: string;
  x: number;
  y: number;
}

/** Boxes in columns: what a thing came from stands left of it. */
export function LineageChart({ graph }: { graph: Graph }) {
  const placed = place(graph);
  const at = new Map(placed.map((one) => [one.id, one]));
  const width = Math.max(...placed.map(({ x }) => x)) + BOX.width + 2;
  const height = Math.max(...placed.map(({ y }) => y)) + BOX.height + 2;
  return (
    <div className="table-frame" tabIndex={0} role="group" aria-label="Lineage as a picture">
      <svg width={width} height={height} role="img" aria-label={`Lineage of ${graph.about}`}>
        {graph.edges.map(({ from, to, relation }) => {
          // An edge points from a thing to what it came from, which is drawn on its left.
          const [end, start] = [at.get(from), at.get(to)];
          if (!start || !end) return null;
          const [x1, y1, x2, y2] = [start.x + BOX.width, start.y + BOX.height / 2, end.x, end.y + BOX.height / 2];
          const middle = (x1 + x2) / 2;
          return (
            <path
              key={`${from} ${to} ${relation}`}
              className="lineage-edge"
              d={`M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`}
            />
          );
        })}
        {placed.map(({ id, kind, x, y }) => (
          <g key={id} transform={`translate(${x} ${y})`}>
            <title>{id}</title>
            <rect className="lineage-box" x={0.5} y={0.5} width={BOX.width} height={BOX.height} rx={8} />
            <text className="lineage-kind" x={12} y={18}>
              {formatName(kind)}
            </text>
            <text className="lineage-name" x={12} y={35}>
              {shorten(id.slice(id.indexOf(':') + 1))}
            </text>
          </g>
        ))}
      </svg>
    </div>
  );
}

const shorten = (name: string) => (name.length > 24 ? `${name.slice(0, 11)}…${name.slice(-11)}` : name);

/** Columns by the longest way to what nothing came from. */
function place({ nodes, edges }: Graph): Placed[] {
  const depths = new Map<string, number>();
  const depthOf = (id: string, path: readonly string[]): number => {
    const known = depths.get(id);
    if (known !== undefined) return known;
    const sources = edges.filter(({ from, to }) => from === id && !path.includes(to));
    const depth = sources.length === 0 ? 0 : 1 + Math.max(...sources.map(({ to }) => depthOf(to, [...path, id])));
    depths.set(id, depth);
    return depth;
  };
  const taken: number[] = [];
  return nodes.map(({ id, kind }) => {
    const column = depthOf(id, []);
    const row = taken[column] ?? 0;
    taken[column] = row + 1;
    return { id, kind, x: column * (BOX.width + GAP.x), y: row * (BOX.height + GAP.y) };
  });
}
