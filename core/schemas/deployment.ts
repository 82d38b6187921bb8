import { z } from 'zod';
import { VERSION_PATTERN } from '../names.js';
import { ladderProblem, MOST_STEPS } from '../policy/ladder.js';
import type { Role } from '../roles.js';

export const versionSchema = z.string().regex(VERSION_PATTERN, 'must be a version such as v1.2.0');
export const versionOrAliasSchema = z.union([
  versionSchema,
  z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, 'must be a version such as v1.2.0 or an alias such as production'),
]);

/** Measures that hold a rollout back, by name; `:` divides what is measured from the head or figure that it is measured on. */
const GUARDRAIL = /^(error_rate|slow_rate|(loss|calibration|mean|feedback):[a-zA-Z_][a-zA-Z0-9_]{0,62})$/;

const guardrailSchema = z.strictObject({
  enabled: z.boolean().default(true),
  margin: z
    .number()
    .positive()
    .optional()
    .describe('Harm that is still acceptable, in the unit of the measure; by default the larger of 0.005 and 20 %'),
  harm: z.enum(['rises', 'falls', 'either']).optional().describe('Which change is harm'),
});

const guardrailsSchema = z
  .record(
    z
      .string()
      .regex(GUARDRAIL, 'must be error_rate, slow_rate, or loss:, calibration:, mean: or feedback: with a name'),
    guardrailSchema,
  )
  .refine((guardrails) => Object.keys(guardrails).length <= 30, 'has more than 30 guardrails')
  .superRefine((guardrails, context) => {
    for (const name of ['error_rate', 'slow_rate']) {
      const { harm = 'rises', margin = 0 } = guardrails[name] ?? {};
      if (harm !== 'rises')
        context.addIssue({ code: 'custom', path: [name, 'harm'], message: 'can only be rises: more of them is harm' });
      if (margin >= 1)
        context.addIssue({
          code: 'custom',
          path: [name, 'margin'],
          message: 'must be below 1: it is a share of the requests',
        });
    }
  })
  .describe('What is watched besides errors, slow answers, and loss and calibration of each head');

export const APPROVAL_ROLES = ['operator', 'admin'] as const satisfies readonly Role[];

const MOST_SECONDS = 7 * 86_400;

const watchFields = {
  max_seconds: z.number().int().min(1).max(MOST_SECONDS).default(86_400).describe('After this a person decides'),
  ask_seconds: z
    .number()
    .int()
    .min(1)
    .max(MOST_SECONDS)
    .default(86_400)
    .describe('So long a person has to decide; then the rollout is aborted'),
  approval_role: z
    .enum(APPROVAL_ROLES)
    .default('operator')
    .describe('The role that a person needs to approve or promote'),
  slow_ms: z
    .number()
    .positive()
    .default(5)
    .describe('An answer is slow when it takes longer than this and than the 99th percentile of the present version'),
  guardrails: guardrailsSchema.default({}),
};

export const ladderSchema = z
  .array(z.number().positive().max(100))
  .min(1)
  .max(MOST_STEPS)
  .superRefine((steps, context) => {
    const message = ladderProblem(steps);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  })
  .describe('Percentages of the entities that the new version answers; after the last it gets all');

export const canarySchema = z.strictObject({
  steps: ladderSchema.default([1, 5, 10, 25, 50, 100]),
  step_seconds: z.number().min(1).max(86_400).default(300).describe('The shortest time of a step'),
  min_samples: z
    .number()
    .int()
    .min(1)
    .max(10_000_000)
    .default(500)
    .describe('Requests that each cohort must have sent before a step counts'),
  approval: z.boolean().default(false).describe('A person must agree before the new version gets all traffic'),
  ...watchFields,
});

export const shadowSchema = z.strictObject({
  pairs: z.number().int().min(1).max(10_000_000).default(500).describe('Requests that both versions must have scored'),
  window_seconds: z.number().min(1).max(3600).default(60).describe('Time between two looks at the evidence'),
  then: z
    .enum(['ask', 'promote'])
    .default('ask')
    .describe('What follows when no harm was found: a person decides, or the new version gets all traffic'),
  ...watchFields,
});

/** `stop_on_harm`: harm ends the rollout; `must_pass`: so does whatever is short of shown to be safe. */
export const HOLDOUT_MODES = ['stop_on_harm', 'must_pass', 'off'] as const;
export type HoldoutMode = (typeof HOLDOUT_MODES)[number];

export const STRATEGIES = ['immediate', 'canary', 'shadow'] as const;

export const deployFields = z.strictObject({
  version: versionOrAliasSchema,
  strategy: z
    .enum(STRATEGIES)
    .default('immediate')
    .describe('All traffic at once, step by step, or beside the present version without answering'),
  canary: canarySchema.optional(),
  shadow: shadowSchema.optional(),
  holdout: z
    .enum(HOLDOUT_MODES)
    .default('stop_on_harm')
    .describe(
      'Before any traffic the version is compared with the present one on labelled rows that neither has learnt from. `stop_on_harm` ends the ' +
        'rollout when it is shown to be worse, `must_pass` also when it is not shown to be safe',
    ),
  override_freeze: z.boolean().default(false).describe('Give it traffic although traffic is frozen: see GET /freezes'),
  allow_unpromotable: z.boolean().default(false).describe('Deploy a version that showed no skill all the same'),
});

type Refinement = Parameters<typeof deployFields.superRefine>[0];
/** Settings of a strategy that is not asked for would be ignored in silence. */
export const holdSettingsToStrategy: Refinement = ({ strategy, canary, shadow }, context) => {
  if (canary && strategy !== 'canary')
    context.addIssue({ code: 'custom', path: ['canary'], message: 'goes with "strategy": "canary" only' });
  if (shadow && strategy !== 'shadow')
    context.addIssue({ code: 'custom', path: ['shadow'], message: 'goes with "strategy": "shadow" only' });
};

export const deployRequestSchema = deployFields.superRefine(holdSettingsToStrategy);

export const noteSchema = z
  .string()
  .min(1)
  .max(500)
  .optional()
  .describe('Why; it is written down with the name of the caller');
export const commandRequestSchema = z.strictObject({ note: noteSchema });
export const promoteRequestSchema = z.strictObject({
  note: noteSchema,
  override_freeze: z.boolean().default(false).describe('Promote although traffic is frozen'),
});
export const ladderRequestSchema = z.strictObject({ steps: ladderSchema, note: noteSchema });

export type CanarySettings = z.output<typeof canarySchema>;
export type ShadowSettings = z.output<typeof shadowSchema>;
