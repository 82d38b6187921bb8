// Temporal finds workflows by the exports of this file.
export { ingestData } from './ingest-data.js';
export { preprocessData } from './preprocess-data.js';
export { replayQuarantine } from './replay-quarantine.js';
export { trainModel } from './train-model.js';
export { deployModel } from './deploy-model.js';
export { runExperiment } from './run-experiment.js';
export { drillRollout } from './drill-rollout.js';
export { materializeFeatures } from './materialize-features.js';
export { applyRetention } from './apply-retention.js';
export { eraseSubject } from './erase-subject.js';
export { reencryptFiles } from './reencrypt-files.js';
export { runSweep } from './run-sweep.js';
export { monitorModel } from './monitor-model.js';
export { repairModel } from './repair-model.js';
