import { z } from 'zod';
import { VERSION_PATTERN } from '../names.js';

export const versionSchema = z.string().regex(VERSION_PATTERN, 'must be a version such as v1.2.0');
export const versionOrAliasSchema = z.union([
  versionSchema,
  z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, 'must be a version such as v1.2.0 or an alias such as production'),
]);

export const deployRequestSchema = z.strictObject({
  version: versionOrAliasSchema,
  strategy: z.enum(['immediate']).default('immediate').describe('All traffic at once, after the self-test'),
  allow_unpromotable: z.boolean().default(false).describe('Deploy a version that showed no skill all the same'),
});
