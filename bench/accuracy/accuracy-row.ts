/** One figure of ours beside the best peer's on the same data and split. */
export interface AccuracyRow {
  set: string;
  task: string;
  metric: string;
  ours: number;
  /** Of our figure, or of the paired difference where both are known row by row. */
  standardError: number;
  peer: string;
  peerValue: number;
  higherIsBetter: boolean;
  /** The worst difference that counts as equal, in the metric's own unit, where it is more than one standard error. */
  limit: number;
  note?: string;
}

/** How much better ours is than the peer's; below 0 it is worse. */
export const advantage = ({ ours, peerValue, higherIsBetter }: AccuracyRow): number =>
  higherIsBetter ? ours - peerValue : peerValue - ours;

/** Whether ours is at most one standard error, or the limit, worse than the peer's. */
export const isReached = (row: AccuracyRow): boolean =>
  advantage(row) >= -Math.max(row.limit, row.standardError) - 1e-12;
