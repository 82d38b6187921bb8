/** What a thing in the graph is. */
export const NODE_KINDS = ['prediction', 'predictions', 'version', 'dataset', 'part', 'source', 'feature_view', 'job'] as const;
export type NodeKind = (typeof NODE_KINDS)[number];

/** How one thing depends on another: read from the first to the second. */
export const RELATIONS = ['answered_by', 'trained_on', 'joined_with', 'reads', 'has_part', 'read_from', 'made_by'] as const;
export type Relation = (typeof RELATIONS)[number];

export interface LineageNode {
  id: string;
  kind: NodeKind;
  /** Facts of the kind, such as digests and times. */
  detail: Record<string, unknown>;
}
export interface LineageEdge {
  from: string;
  to: string;
  relation: Relation;
}

/** Things and what they were made from. Adding one twice changes nothing. */
export class LineageGraph {
  readonly #nodes = new Map<string, LineageNode>();
  readonly #edges = new Map<string, LineageEdge>();

  constructor(private readonly about: string) {}

  /** @returns whether it is new */
  add(kind: NodeKind, id: string, detail: Record<string, unknown>): boolean {
    if (this.#nodes.has(id)) return false;
    this.#nodes.set(id, { id, kind, detail });
    return true;
  }

  link(from: string, relation: Relation, to: string): void {
    this.#edges.set(`${from} ${relation} ${to}`, { from, to, relation });
  }

  present() {
    return { about: this.about, nodes: [...this.#nodes.values()], edges: [...this.#edges.values()] };
  }
}
