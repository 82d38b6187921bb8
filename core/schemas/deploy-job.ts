import { deployFields, holdSettingsToStrategy } from './deployment.js';
import { modelNameSchema } from './training.js';

/** The input of the workflow that rolls a version out. */
export const deployJobSchema = deployFields.extend({ model: modelNameSchema }).superRefine(holdSettingsToStrategy);
