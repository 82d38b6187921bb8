import { median } from '../../ml/evaluate/median.js';

/** What all processes of the API hold, at a moment of the load. */
export interface MemorySample {
  second: number;
  residentMib: number;
  /** Of JavaScript, before garbage is collected. */
  heapMib: number;
}

/** Below this a process is still warming up: code is compiled, caches fill, the heap finds its size. */
const LEAST_SECONDS = 300;
/** Growth between the second quarter and the last one: garbage alone makes a heap go up and down by some of this. */
const MOST_GROWTH = 0.15;
const LEAST_GROWTH_MIB = 16;

/**
 * Tells memory that grows from memory that goes up and down: the medians of the second and the last quarter of the time.
 * @param samples in the order of time
 * @returns a sentence for each figure that grew; nothing for loads of less than five minutes
 */
export function judgeMemory(samples: readonly MemorySample[]): string[] {
  const last = samples.at(-1)?.second ?? 0;
  if (last < LEAST_SECONDS) return [];
  const between = (from: number, to: number) =>
    samples.filter(({ second }) => second >= from * last && second <= to * last);
  const figures = [
    { name: 'the resident memory', of: ({ residentMib }: MemorySample) => residentMib },
    { name: 'the heap', of: ({ heapMib }: MemorySample) => heapMib },
  ];
  return figures.flatMap(({ name, of }) => {
    const [before, after] = [median(between(0.25, 0.5).map(of)), median(between(0.75, 1).map(of))];
    const grown = after - before;
    return grown > Math.max(LEAST_GROWTH_MIB, MOST_GROWTH * before)
      ? [`${name} of the API grew from ${Math.round(before)} to ${Math.round(after)} MiB`]
      : [];
  });
}

/** Ten figures over the time, for a line of text. */
export function summariseMemory(samples: readonly MemorySample[]): MemorySample[] {
  const shown = Math.min(10, samples.length);
  return Array.from({ length: shown }, (_, at) => {
    const { second, residentMib, heapMib } = samples[Math.floor(((at + 1) * samples.length) / shown) - 1]!;
    return { second: Math.round(second), residentMib: Math.round(residentMib), heapMib: Math.round(heapMib) };
  });
}

const EVERY_MS = 5000;
const metricOf = (text: string, name: string) =>
  Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? NaN) / 2 ** 20;

/** Looks at the memory of a service until it is stopped, by its `/metrics`. */
export class MemoryWatch {
  readonly samples: MemorySample[] = [];
  readonly #startMs = performance.now();
  readonly #timer: NodeJS.Timeout;

  constructor(private readonly url: string) {
    this.#timer = setInterval(() => void this.#look(), EVERY_MS);
  }

  async #look(): Promise<void> {
    const second = (performance.now() - this.#startMs) / 1000;
    // A service that does not answer is told of by its predictions.
    const text = await fetch(`${this.url}/metrics`).then(
      (answer) => answer.text(),
      () => '',
    );
    const residentMib = metricOf(text, 'process_resident_memory_bytes');
    const heapMib = metricOf(text, 'nodejs_heap_size_used_bytes');
    if (residentMib > 0 && heapMib > 0) this.samples.push({ second, residentMib, heapMib });
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
