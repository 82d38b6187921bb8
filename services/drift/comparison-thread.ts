import {
  compareNumberWindows,
  type ComparedNumbers,
  type NumberWindows,
} from '../../ml/drift/compare-number-windows.js';

export interface ComparisonTask {
  windows: NumberWindows;
  /** Whether the caller needs the sorted numbers back, which takes a copy. */
  isKept: boolean;
}

export type ComparedColumnNumbers = Omit<ComparedNumbers, 'reference' | 'current'> &
  Partial<Pick<ComparedNumbers, 'reference' | 'current'>>;

/** Entry of the threads that compare columns of numbers. */
export default function compareColumn({ windows, isKept }: ComparisonTask): ComparedColumnNumbers {
  const { drift, usual, ...samples } = compareNumberWindows(windows);
  return { drift, usual, ...(isKept && samples) };
}
