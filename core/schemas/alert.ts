import { z } from 'zod';
import { alertSeveritySchema, patternSchema, ruleNameSchema, ruleShape } from './alert-rule.js';
import { pageQuerySchema } from './listing.js';
import { modelNameSchema } from './training.js';

export const ALERT_STATUSES = ['open', 'acknowledged', 'resolved'] as const;
export type AlertStatus = (typeof ALERT_STATUSES)[number];

/** As rules are named in answers: those of the models file begin with their model. */
const knownRule = z.string().max(128);

export const alertRuleSchema = z.strictObject({
  ...ruleShape,
  models: z.array(modelNameSchema).max(100).default([]).describe('Only of these models; all without any'),
});
export type AlertRuleSettings = z.output<typeof alertRuleSchema>;
export const newAlertRuleSchema = alertRuleSchema.extend({ name: ruleNameSchema });

const matcherShape = {
  model: modelNameSchema.optional(),
  rule: knownRule.optional(),
  subject: patternSchema.optional(),
  severity: alertSeveritySchema.optional().describe('This severity and milder ones'),
};
export type SilenceMatcher = z.output<z.ZodObject<typeof matcherShape>>;

export const silenceRequestSchema = z
  .strictObject({
    ...matcherShape,
    reason: z.string().trim().min(1).max(500),
    starts_at: z.iso.datetime({ offset: true }).optional().describe('Now by default'),
    ends_at: z.iso.datetime({ offset: true }),
  })
  .superRefine(({ starts_at: start, ends_at: end }, context) => {
    if (start !== undefined && Date.parse(end) <= Date.parse(start))
      context.addIssue({ code: 'custom', path: ['ends_at'], message: 'must be after starts_at' });
  });

const note = z.string().trim().min(1).max(2000);
export const alertNoteSchema = z.strictObject({ note: note.optional() });
export const alertCommentSchema = z.strictObject({ note });
export const alertResolveSchema = z.strictObject({
  note: note.optional(),
  false_alarm: z.boolean().optional().describe('Nothing was wrong: it counts against the budget of the model'),
});

export const alertsQuerySchema = pageQuerySchema.extend({
  status: z.enum(ALERT_STATUSES).optional(),
  model: modelNameSchema.optional(),
  severity: alertSeveritySchema.optional(),
  rule: knownRule.optional(),
});
export const alertBudgetQuerySchema = z.strictObject({ model: modelNameSchema });
