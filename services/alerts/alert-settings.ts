import { z } from 'zod';
import { webhookSecretSchema } from '../../core/schemas/webhook.js';

/** Several of one kind, separated by commas; each has to pass. */
const several = (one: z.ZodString | z.ZodURL | z.ZodEmail) =>
  z
    .string()
    .default('')
    .transform((value) =>
      value
        .split(',')
        .map((item) => item.trim())
        .filter(Boolean),
    )
    .pipe(z.array(one).max(20));
const httpUrl = z.url({ protocol: /^https?$/, error: 'must be http:// or https:// addresses' });

/** The variables that say who is told of alerts; part of those of `services/config.ts`. */
export const alertEnvironment = {
  ALERT_WEBHOOK_URLS: several(httpUrl).describe(
    'Addresses, separated by commas, that alerts are posted to as signed webhooks; WEBHOOK_ALLOWED_HOSTS holds for them, too',
  ),
  ALERT_WEBHOOK_SECRET: webhookSecretSchema
    .optional()
    .describe(
      'What messages to ALERT_WEBHOOK_URLS are signed with, by the Standard Webhooks scheme: `whsec_` and base64',
    ),
  ALERT_SLACK_URLS: several(httpUrl).describe(
    'Incoming webhooks of Slack, or of what takes the same, separated by commas; WEBHOOK_ALLOWED_HOSTS holds for them, too',
  ),
  ALERT_EMAIL_TO: several(z.email()).describe(
    'E-mail addresses, separated by commas, that alerts are sent to; needs SMTP_URL',
  ),
  ALERT_EMAIL_FROM: z.email().default('alerts@localhost.localdomain').describe('The sender of these mails'),
  SMTP_URL: z
    .string()
    .regex(/^smtps?:\/\/\S+$/, 'must begin with smtp:// or smtps://')
    .optional()
    .describe('The mail server, such as smtp://user:password@mail.example.com:587'),
  ALERTMANAGER_URL: httpUrl.optional().describe('A Prometheus Alertmanager that alerts are posted to, over its API v2'),
  ALERT_MESSAGES_PER_HOUR: z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .default('30')
    .transform(Number)
    .pipe(z.number().min(1).max(10_000))
    .describe('Messages about one model within an hour; what happens beyond it is told together later'),
};

/** Who is told of alerts, and how. */
export interface AlertSettings {
  webhookUrls: readonly string[];
  webhookSecret?: string;
  slackUrls: readonly string[];
  emailTo: readonly string[];
  emailFrom: string;
  smtpUrl?: string;
  alertmanagerUrl?: string;
  messagesPerHour: number;
}

/** @param env what `alertEnvironment` has read */
export function toAlertSettings(env: z.output<z.ZodObject<typeof alertEnvironment>>): AlertSettings {
  return {
    webhookUrls: env.ALERT_WEBHOOK_URLS,
    webhookSecret: env.ALERT_WEBHOOK_SECRET,
    slackUrls: env.ALERT_SLACK_URLS,
    emailTo: env.ALERT_EMAIL_TO,
    emailFrom: env.ALERT_EMAIL_FROM,
    smtpUrl: env.SMTP_URL,
    alertmanagerUrl: env.ALERTMANAGER_URL,
    messagesPerHour: env.ALERT_MESSAGES_PER_HOUR,
  };
}
