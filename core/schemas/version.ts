import { z } from 'zod';
import { VERSION_STATES } from '../policy/lifecycle.js';
import { pageQuerySchema } from './listing.js';
import { versionOrAliasSchema } from './deployment.js';

const MOST_TAGS = 50;
/** `:` parts a tag from its value in a query, so that no key has it. */
const TAG_KEY = /^[a-z][a-z0-9_./-]{0,62}$/;
const LONGEST_TAG = 256;

const text = (most: number) => z.string().trim().min(1).max(most);

export const stateRequestSchema = z.strictObject({
  state: z.enum(VERSION_STATES).describe('`candidate`, `archived`, or what an archived version was before'),
  reason: text(1000).optional().describe('Kept with the change'),
});

export const noteRequestSchema = z.strictObject({ text: text(10_000) });

export const tagsRequestSchema = z.strictObject({
  tags: z
    .record(
      z.string().regex(TAG_KEY, 'must be lower-case letters, digits and `_ . / -`, starting with a letter, at most 63'),
      z.string().max(LONGEST_TAG),
    )
    .refine((tags) => Object.keys(tags).length <= MOST_TAGS, `has more than ${MOST_TAGS} tags`)
    .describe('All tags of the version: those that are not named are taken away'),
});

export const approvalRequestSchema = z.strictObject({
  decision: z.enum(['approve', 'reject']),
  note: text(1000).optional().describe('Why'),
});

export const aliasRequestSchema = z.strictObject({
  version: versionOrAliasSchema.describe('The version, or another alias of it'),
});

export const versionsQuerySchema = z.strictObject({
  ...pageQuerySchema.shape,
  state: z
    .enum(VERSION_STATES)
    .optional()
    .describe('Only versions in this state; archived ones are listed in no other way'),
  tag: z
    .string()
    .max(64 + LONGEST_TAG)
    .regex(/^[a-z][a-z0-9_./-]{0,62}(:.*)?$/s, 'must be a key, or key:value')
    .optional()
    .describe('Only versions with this tag: `key`, or `key:value`'),
});
