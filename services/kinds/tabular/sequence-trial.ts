import type { EpochRecord } from '../../../ml/neural/weight-training.js';

interface Figures {
  log_loss: number;
  accuracy: number;
}

/** What came of trying a sequence model for a head; kept with the version in `details.sequences`. */
export interface SequenceTrial {
  isChosen: boolean;
  /** Why nothing was tried; then all below is absent. */
  reason?: string;
  /** Judged rows and their entities, none of which any model had seen. */
  rows?: number;
  entities?: number;
  /** What the features, the sequence, and the weighted mean of both said of these rows. */
  features?: Figures;
  sequence?: Figures;
  both?: Figures;
  /** Log loss of the features less that of both, row by row; the standard error is over entities. */
  gain?: { value: number; standard_error: number };
  /** Of the sequence in the mean. */
  share?: number;
  /** Of the network in the sequence's answer; the rest is a chain's. */
  network_share?: number;
  /** Such as `0.5 network + 0.5 chain of order 3`. */
  learned_by?: string;
  /** The losses of the network by pass. */
  epochs?: EpochRecord[];
  best_epoch?: number;
  device?: string;
}
