import type { HoldOut } from './hold-out.js';
import { LIST_LENGTH } from './ranking-quality.js';
import type { RecommenderJudgement } from './judge-recommender.js';

/** Items that are about as popular, and what became of them. Shares are of all that was taken, wanted or listed. */
export interface PopularityGroup {
  name: string;
  items: number;
  /** Of the interactions that were learned from. */
  taken: number;
  /** Of the items that judged users took next. */
  wanted: number;
  /** Of the places in the first ten of judged users. */
  listed: number;
  /** The same, of the popular items' lists. */
  popularListed: number;
  /** Of the items of the group that users took next, the share that was in their first ten; null where none was. */
  found: number | null;
}

export interface PopularityTail {
  /** The most taken first, those that nobody had taken last. */
  groups: PopularityGroup[];
  /** Per tenth of the items, the most taken first: counts of what was taken, wanted and listed. */
  tenths: Record<'taken' | 'wanted' | 'listed' | 'popularListed', number[]>;
  /** The name of the group of each judged user's next item. */
  groupOfTarget: string[];
}

/** Ends of the groups as shares of the items that anyone took. */
const GROUPS: readonly [name: string, end: number][] = [
  ['the most taken 1 %', 0.01],
  ['the next 4 %', 0.05],
  ['the next 15 %', 0.2],
  ['the other 80 %', 1],
];
const NEVER = 'not taken before';
const TENTHS = 10;

/** How much a recommender repeats what is popular already, and what it does for the long tail (Abdollahpouri et al. 2019). */
export function popularityTail(
  holdOut: HoldOut,
  judged: RecommenderJudgement,
  popular: RecommenderJudgement,
): PopularityTail {
  const { rest, target } = holdOut;
  const taken = countsOf(rest.item, rest.items);
  const order = Int32Array.from(taken.keys()).sort((a, b) => taken[b]! - taken[a]! || a - b);
  const known = taken.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0);
  const placeOf = new Int32Array(rest.items);
  order.forEach((item, place) => (placeOf[item] = place));
  const nameOf = (item: number): string =>
    taken[item] === 0 ? NEVER : GROUPS.find(([, end]) => placeOf[item]! < Math.max(1, Math.ceil(end * known)))![0];
  const counts = {
    taken,
    wanted: countsOf(target, rest.items),
    listed: judged.listed,
    popularListed: popular.listed,
  };
  const found = countsOf(
    target.filter((_, user) => judged.ranks[user]! < LIST_LENGTH),
    rest.items,
  );
  const groups = [...GROUPS.map(([name]) => name), NEVER].flatMap((name) => {
    const members = order.filter((item) => nameOf(item) === name);
    if (members.length === 0) return [];
    const sum = (values: Int32Array): number => members.reduce((total, item) => total + values[item]!, 0);
    const share = (values: Int32Array): number => sum(values) / Math.max(1, values.reduce((a, b) => a + b, 0)); // prettier-ignore
    const wanted = sum(counts.wanted);
    return [
      {
        name,
        items: members.length,
        taken: share(counts.taken),
        wanted: share(counts.wanted),
        listed: share(counts.listed),
        popularListed: share(counts.popularListed),
        found: wanted > 0 ? sum(found) / wanted : null,
      },
    ];
  });
  const tenthsOf = (values: Int32Array): number[] => {
    const tenths = Array.from({ length: TENTHS }, () => 0);
    order.forEach((item, place) => (tenths[Math.floor((place * TENTHS) / order.length)]! += values[item]!));
    return tenths;
  };
  return {
    groups,
    tenths: {
      taken: tenthsOf(counts.taken),
      wanted: tenthsOf(counts.wanted),
      listed: tenthsOf(counts.listed),
      popularListed: tenthsOf(counts.popularListed),
    },
    groupOfTarget: Array.from(target, nameOf),
  };
}

function countsOf(items: Int32Array, all: number): Int32Array {
  const counts = new Int32Array(all);
  for (const item of items) counts[item]!++;
  return counts;
}
