import { z } from 'zod';
import { canarySchema, STRATEGIES } from './deployment.js';
import { timingShape } from './schedule.js';
import { modelNameSchema } from './training.js';

/** What a known-bad version does: it answers the opposite, it takes long, or it cannot answer. */
export const FAULTS = ['wrong', 'slow', 'error'] as const;
export type Fault = (typeof FAULTS)[number];

const isUnique = (names: readonly string[]) => new Set(names).size === names.length;
const trialStrategies = STRATEGIES.filter((strategy) => strategy !== 'immediate');

const rolloutDrillSchema = z.strictObject({
  kind: z.literal('rollout'),
  faults: z
    .array(z.enum(FAULTS))
    .min(1)
    .max(FAULTS.length)
    .refine(isUnique, 'names one twice')
    .default([...FAULTS])
    .describe('What the bad versions do'),
  strategies: z
    .array(z.enum(trialStrategies))
    .min(1)
    .max(2)
    .refine(isUnique, 'names one twice')
    .default([...trialStrategies])
    .describe('Where each of them is put'),
  slow_ms: z
    .number()
    .min(3)
    .max(200)
    .default(15)
    .describe('How long the slow version takes; a third of it counts as slow'),
  requests_per_second: z
    .number()
    .min(5)
    .max(1000)
    .default(100)
    .describe('Traffic that the drill makes; less where the slow version would keep a process busy'),
  limit_seconds: z
    .number()
    .int()
    .min(10)
    .max(3600)
    .default(60)
    .describe('A bad version that is not taken back within this time is not detected'),
});

const replayDrillSchema = z.strictObject({
  kind: z.literal('aa_replay'),
  model: modelNameSchema,
  days: z.number().min(0.01).max(365).default(28).describe('How much of the log is replayed, up to now'),
  windows: z.number().int().min(3).max(500).default(60).describe('Looks at the evidence, at equal times'),
  replays: z.number().int().min(20).max(5000).default(300).describe('How often the entities are split at random'),
  seed: z.number().int().min(0).max(0xffff_ffff).default(1).describe('The same seed and log give the same result'),
  canary: canarySchema
    .pick({ guardrails: true, min_samples: true, slow_ms: true })
    .prefault({})
    .describe('As in POST /models/{model}/deploy'),
});

export const drillRequestSchema = z
  .discriminatedUnion('kind', [rolloutDrillSchema, replayDrillSchema])
  .describe(
    '`rollout`: bad versions in a sandbox; `aa_replay`: splits without a difference on the real log of a model',
  );
export type DrillRequest = z.output<typeof drillRequestSchema>;
export type RolloutDrillRequest = z.output<typeof rolloutDrillSchema>;
export type ReplayDrillRequest = z.output<typeof replayDrillSchema>;

export const drillScheduleSchema = z.strictObject({
  ...timingShape,
  drill: drillRequestSchema.prefault({ kind: 'rollout' }).describe('As in POST /drills'),
});
export type DrillScheduleRequest = z.output<typeof drillScheduleSchema>;
