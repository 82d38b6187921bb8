// Writes the reference, and the schemas by which editors complete the files of models/, from the code that they describe: node docs/reference/make-reference.mjs
// With --check it writes nothing and ends with code 1 when a file is out of date. Needs a build (npm run build).
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { z } from 'zod';
import { buildOpenApi } from '../../dist/api/openapi.js';
import { ERROR_TABLE } from '../../dist/core/errors.js';
import { environmentSchema } from '../../dist/services/config.js';
import { featuresFileSchema } from '../../dist/core/schemas/feature-view.js';
import { dataTypesFileSchema, modelsFileSchema } from '../../dist/core/schemas/model-config.js';
import { retentionFileSchema } from '../../dist/core/schemas/retention.js';
import { NOTE, code, table } from './markdown-table.mjs';
import { renderConfig } from './render-config.mjs';
import { renderHttp } from './render-http.mjs';
import { renderMetrics } from './render-metrics.mjs';
import { renderWorkflows } from './render-workflows.mjs';

const here = dirname(fileURLToPath(import.meta.url));

function renderEnvironment() {
  const rows = Object.entries(environmentSchema.shape).map(([name, schema]) => {
    const fallback = schema.safeParse(undefined);
    const isSet = fallback.success && fallback.data !== undefined && !(fallback.data instanceof Map);
    return [code(name), isSet ? code(fallback.data) : '', schema.description ?? ''];
  });
  return `${NOTE}

# Environment variables

The API and both workers read these once, at their start. A wrong value stops the start with a message that names the
variable, its value and what it may be. An empty variable counts as not set. \`npm start\` hands its own environment to every
part, and adds the addresses of what it starts.

${table(['Variable', 'Default', 'Meaning'], rows)}

## Read by \`npm start\` and \`npm test\` only

${table(
  ['Variable', 'Meaning'],
  [
    [code('DATABASE_URL'), 'Where set, this server is used and no PostgreSQL is started'],
    [code('TEMPORAL_ADDRESS'), 'Where set, this server is used and no Temporal is started'],
    [code('MLOPS_CACHE_DIR'), 'Folder that keeps the Temporal server between checkouts'],
    [code('XDG_CACHE_HOME'), 'Used when `MLOPS_CACHE_DIR` is not set; `~/.cache` when neither is'],
  ],
)}

## Read by \`npx mlops\` and the notebooks only

${table(
  ['Variable', 'Meaning'],
  [
    [code('MLOPS_URL'), 'Address of the service; `http://127.0.0.1:8080` where neither it nor `mlops login` names one'],
    [code('MLOPS_TOKEN'), 'Token of the caller, sent as `Authorization: Bearer`'],
    [code('XDG_CONFIG_HOME'), 'Where `mlops login` keeps both; `~/.config` when it is not set'],
  ],
)}
`;
}

function renderErrors() {
  const rows = Object.entries(ERROR_TABLE).map(([name, { status, title }]) => [code(name), status, title]);
  return `${NOTE}

# Errors

Every failure is answered as \`application/problem+json\` (RFC 9457). \`type\` is \`urn:problem:\` and one of the codes below;
the code is stable, while \`detail\` is for people and may change. \`errors\` lists each offending path. \`correlation_id\` is
also in the header \`X-Correlation-Id\` and in every log line of the call.

A job that fails has the same codes in \`error.code\` of \`GET /jobs/{job_id}\`.

${table(['Code', 'Status', 'Title'], rows)}

## Codes that only jobs have

${table(
  ['Code', 'Meaning'],
  [
    [code('job_terminated'), 'An operator terminated the workflow'],
    [code('job_timeout'), 'The workflow ran into its time limit'],
    [code('job_lost'), 'Temporal does not know the workflow any more; start the job again'],
  ],
)}
`;
}

/** Draft 7 is what the YAML servers of editors know. */
const schemaOf = (title, schema) => ({
  title,
  ...z.toJSONSchema(schema, { target: 'draft-7', io: 'input', unrepresentable: 'any' }),
});
const FILES = [
  {
    name: 'config',
    title: 'Models',
    about: 'one entry a model, named as in paths and requests.',
    schema: schemaOf('Models', modelsFileSchema),
  },
  {
    name: 'data-types',
    title: 'Data types',
    about: 'what is expected of the columns and of the whole of ingested data.',
    schema: schemaOf('Data types', dataTypesFileSchema),
  },
  {
    name: 'features',
    title: 'Feature views',
    about: 'the views of the feature store.',
    schema: schemaOf('Feature views', featuresFileSchema),
  },
  {
    name: 'retention',
    title: 'Retention',
    about: 'what may be deleted, and when; without this file nothing ever is.',
    schema: schemaOf('Retention', retentionFileSchema),
  },
];

const pages = [
  ['environment.md', renderEnvironment()],
  ['errors.md', renderErrors()],
  ['metrics.md', renderMetrics()],
  ['workflows.md', renderWorkflows()],
  ['config.md', renderConfig(FILES)],
  ...renderHttp(buildOpenApi()).map(([name, text]) => [`http/${name}`, text]),
];
const style = { ...(await resolveConfig(join(here, 'environment.md'))), parser: 'markdown' };
const texts = [
  ...(await Promise.all(pages.map(async ([name, text]) => [name, await format(text, style)]))),
  ...FILES.map(({ name, schema }) => [`../../models/${name}.schema.json`, `${JSON.stringify(schema, null, 2)}\n`]),
];

const isCheck = process.argv.includes('--check');
for (const [name, text] of texts) {
  const path = join(here, name);
  if (!isCheck) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } else if (!existsSync(path) || readFileSync(path, 'utf8') !== text) {
    process.stderr.write(
      `${join('docs/reference', name)} is out of date. Run: node docs/reference/make-reference.mjs\n`,
    );
    process.exitCode = 1;
  }
}
