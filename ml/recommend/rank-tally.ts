import { wilsonInterval } from '../evaluate/roc.js';
import { gainAt10, recallAt10 } from './ranking-quality.js';

/** A mean over users with its interval. */
export interface Estimate {
  value: number;
  lower: number;
  upper: number;
}

const LEVEL = 0.95;
/** Of the normal distribution at that level, both sides. */
const WIDTH = 1.959964;

/** Adds up ranks of one user each, without keeping them. */
export class RankTally {
  private users = 0;
  private hits = 0;
  private gains = 0;
  private squares = 0;

  add(rank: number): void {
    const gain = gainAt10(rank);
    this.users++;
    this.hits += recallAt10(rank);
    this.gains += gain;
    this.squares += gain * gain;
  }

  /** What a choice looks at: NDCG alone rests mostly on the first place, recall alone says nothing about order. */
  get total(): number {
    return (this.gains + this.hits) / 2;
  }

  /** Means over the users with 95 % intervals; 0 to 0 where there are none. */
  summary(): { users: number; worth: number; recallAt10: Estimate; ndcgAt10: Estimate } {
    const { users, hits, gains, squares } = this;
    const none = { value: 0, lower: 0, upper: 0 };
    if (users === 0) return { users, worth: 0, recallAt10: none, ndcgAt10: none };
    const mean = gains / users;
    const half = WIDTH * Math.sqrt(Math.max(0, squares / users - mean * mean) / users);
    return {
      users,
      worth: this.total / users,
      recallAt10: { value: hits / users, ...wilsonInterval(hits, users, LEVEL) },
      ndcgAt10: { value: mean, lower: Math.max(0, mean - half), upper: Math.min(1, mean + half) },
    };
  }
}
