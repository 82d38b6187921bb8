import { createPrng } from '../../../../ml/random/prng.js';
import { csv } from './service.js';

/** Customers whose answer follows from two of their columns, but for a share of them. */
export function learnableTable(rows: number, seed = 7, noiseShare = 0.08): string {
  const prng = createPrng(seed);
  const lines = Array.from({ length: rows }, (_, index) => {
    const usage = Math.round(prng.next() * 1000) / 10;
    const plan = ['basic', 'plus', 'pro'][Math.floor(prng.next() * 3)]!;
    const noise = prng.next() < noiseShare;
    const leaves = usage < 45 !== (plan === 'pro');
    const spend = Math.round((usage * 3 + (plan === 'pro' ? 200 : 0) + prng.next() * 20) * 100) / 100;
    const day = `2024-01-${String(1 + (index % 28)).padStart(2, '0')}`;
    return [`c${index}`, usage, plan, day, leaves !== noise ? 'stay' : 'leave', spend, prng.next() < 0.5 ? 'a' : 'b'];
  });
  return csv(['customer', 'usage', 'plan', 'signed_up', 'outcome', 'spend', 'coin'], lines);
}

/** Columns of pure noise, for fits that must take long. */
export function wideTable(rows: number, columns: number, seed = 11): string {
  const prng = createPrng(seed);
  const header = ['id', ...Array.from({ length: columns }, (_, at) => `x${at}`), 'outcome'];
  const lines = Array.from({ length: rows }, (_, index) => [
    `r${index}`,
    ...Array.from({ length: columns }, () => prng.next().toFixed(4)),
    prng.next() < 0.5 ? 'yes' : 'no',
  ]);
  return csv(header, lines);
}
