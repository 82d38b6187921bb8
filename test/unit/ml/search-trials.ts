import type { Sampler } from '../../../ml/search/sampler.js';
import type { Configuration } from '../../../ml/search/search-space.js';
import type { Trial } from '../../../ml/search/trial.js';

/** A trial that has ended with one loss. */
export const completed = (index: number, configuration: Configuration, loss: number): Trial => ({
  index,
  configuration,
  reports: [],
  outcome: { state: 'completed', losses: [loss], violation: 0 },
});

/** One trial after another, each drawn with all before it known. */
export function search(
  sampler: Sampler,
  objective: (configuration: Configuration) => number,
  trials: number,
  seed: number,
) {
  const history: Trial[] = [];
  for (let index = 0; index < trials; index++) {
    const configuration = sampler.suggest({ history, index, seed });
    history.push(completed(index, configuration, objective(configuration)));
  }
  return history;
}

export const lossOf = (trial: Trial) => (trial.outcome.state === 'completed' ? trial.outcome.losses[0]! : NaN);
