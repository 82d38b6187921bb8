/**
 * The best items in descending order of score, of equal ones the lower index first; items of score -Infinity never.
 * A heap of `limit` is kept, so the time is items + (changes of the heap) * log(limit).
 */
export function topItems(scores: Float64Array, limit: number): number[] {
  const heap: number[] = [];
  const isWorse = (a: number, b: number): boolean => scores[a]! < scores[b]! || (scores[a] === scores[b] && a > b);
  const sink = (from: number): void => {
    let at = from;
    for (;;) {
      let worst = at;
      for (let child = 2 * at + 1; child <= 2 * at + 2 && child < heap.length; child++)
        if (isWorse(heap[child]!, heap[worst]!)) worst = child;
      if (worst === at) return;
      [heap[at], heap[worst]] = [heap[worst]!, heap[at]!];
      at = worst;
    }
  };
  for (let item = 0; item < scores.length; item++) {
    if (scores[item] === -Infinity) continue;
    if (heap.length < limit) {
      heap.push(item);
      for (let at = heap.length - 1; at > 0;) {
        const parent = (at - 1) >> 1;
        if (!isWorse(heap[at]!, heap[parent]!)) break;
        [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
        at = parent;
      }
    } else if (limit > 0 && isWorse(heap[0]!, item)) {
      heap[0] = item;
      sink(0);
    }
  }
  return heap.sort((a, b) => (isWorse(a, b) ? 1 : -1));
}
