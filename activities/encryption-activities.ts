import { reencryptJobSchema } from '../core/schemas/encryption.js';
import type { Container } from '../services/container.js';
import { reencryptFiles, reportKeys } from '../services/encryption/reencrypt-files.js';
import { parseRequest } from '../services/parse-request.js';
import { runActivity } from './activity-run.js';

/** How long a round may hold off erasures, which write the same files. */
const ROUND_MS = 600_000;

export function createEncryptionActivities(container: Container) {
  return {
    sealFiles: ({ jobId, request }: { jobId: string; request: unknown }) =>
      runActivity(container, jobId, { stage: 'seal', from: 0, to: 0.98 }, async ({ signal, report }) => {
        const { key_id: keyId } = parseRequest(reencryptJobSchema, request);
        return reencryptFiles(keyId, { ...container, signal, mostMs: ROUND_MS }, report);
      }),
    reportKeys: ({ jobId }: { jobId: string }) =>
      runActivity(container, jobId, { stage: 'report', from: 0.98, to: 0.99 }, () => reportKeys(container.config)),
  };
}
