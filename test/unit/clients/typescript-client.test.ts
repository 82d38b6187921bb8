import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildOpenApi } from '../../../api/openapi.js';
import { projectRoot } from '../../../services/project-root.js';

describe('the types of the TypeScript client', () => {
  it('were made from the OpenAPI document as it is now', () => {
    const text = readFileSync(join(projectRoot(), 'clients/typescript/schema.ts'), 'utf8');
    const digest = createHash('sha256').update(JSON.stringify(buildOpenApi())).digest('hex');
    const told = 'The document has changed: run `npm run build`, then `npm run generate` in clients/typescript.';
    expect(/with the SHA-256 ([0-9a-f]{64})/.exec(text)?.[1], told).toBe(digest);
  });
});
