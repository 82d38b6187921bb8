/** The part of a condition that leaves only what belongs to some models; all without a list. */
export const whereModels = (models: readonly string[] | undefined) =>
  models === undefined ? {} : { AND: [{ model: { in: [...models] } }] };
