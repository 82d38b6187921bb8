// Writes schema.ts, the types of every call, from the OpenAPI document of this checkout. Needs a build of the service (npm run build in
// its root) and, once, `npm install` here: openapi-typescript needs an older TypeScript than the service is built with.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import openapiTypescript, { astToString } from 'openapi-typescript';
import { buildOpenApi } from '../../dist/api/openapi.js';

const document = JSON.stringify(buildOpenApi());
const digest = createHash('sha256').update(document).digest('hex');
const types = astToString(await openapiTypescript(JSON.parse(document)));
const note = `// Written by generate.mjs from the OpenAPI document with the SHA-256 ${digest}.\n// Change the service, then run \`npm run generate\` in clients/typescript.\n`;
writeFileSync(new URL('schema.ts', import.meta.url), note + types);
