// workflows.md, from the sources of the workflows: their order of stages, and the messages that they take.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NOTE, code, table } from './markdown-table.mjs';

const folder = join(dirname(fileURLToPath(import.meta.url)), '../../workflows');
const read = (file) => readFileSync(join(folder, `${file}.ts`), 'utf8');
const asText = (comment) =>
  comment
    .replaceAll(/^\s*\*? ?/gm, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();

const MESSAGE =
  /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*export const (\w+) = define(Query|Signal|Update)(?:<[\s\S]*?>)?\('(\w+)'\)/g;

/** Every message that messages.ts defines, by the name that it has in the code. */
function findMessages() {
  const found = [...read('messages').matchAll(MESSAGE)].map(([, comment, key, kind, name]) => ({
    key,
    kind: kind.toLowerCase(),
    name,
    meaning: asText(comment),
  }));
  const defined = read('messages').match(/define(Query|Signal|Update)[<(]/g).length;
  if (found.length !== defined)
    throw new Error('workflows/messages.ts: a message has no doc comment that says what it does; write one.');
  return new Map(found.map((message) => [message.key, message]));
}

/** The file and those of its folder that it runs; a child workflow is imported as a type only. */
function filesOf(file, seen = new Set()) {
  if (seen.has(file) || ['messages', 'activity-options'].includes(file)) return seen;
  seen.add(file);
  const text = read(file);
  for (const [, other] of text.matchAll(/^import (?!type)[^;]*? from '\.\/([\w-]+)\.js';/gm)) {
    // Some need a word of it only, and are no job.
    if (other !== 'run-job' || text.includes('runJob(')) filesOf(other, seen);
  }
  return seen;
}

function describeWorkflow(name, file, messages) {
  const text = read(file);
  const comment = text.match(
    new RegExp(String.raw`/\*\*((?:(?!\*/)[\s\S])*)\*/\s*export async function ${name}\(`),
  )?.[1];
  if (!comment) throw new Error(`workflows/${file}.ts: ${name} has no doc comment that says what it does; write one.`);
  const files = [...filesOf(file)].map(read);
  const handled = files.flatMap((source) => [...source.matchAll(/setHandler\((\w+)/g)].map(([, key]) => key));
  return {
    name,
    file,
    meaning: asText(comment),
    type: text.match(/runJob\('(\w+)'/)?.[1],
    stages: [
      ...new Set(files.flatMap((source) => [...source.matchAll(/enterStage\('(\w+)'\)/g)].map(([, stage]) => stage))),
    ],
    messages: [...new Set(handled)].map((key) => messages.get(key)),
  };
}

function renderWorkflow({ name, file, meaning, type, stages, messages }) {
  const rows = messages.map(({ kind, name: message, meaning: what }) => [code(message), kind, what]);
  const facts = [
    type ? `Jobs of the type ${code(type)}.` : 'A child of other workflows, without a job of its own.',
    ...(stages.length ? [`Stages: ${stages.map(code).join(', ')}.`] : []),
  ];
  return `## ${code(name)}

${meaning} (${code(`workflows/${file}.ts`)})

${facts.join(' ')}

${table(['Message', 'Kind', 'What it does'], rows)}`;
}

export function renderWorkflows() {
  const messages = findMessages();
  const exported = [...read('index').matchAll(/export \{ (\w+) \} from '\.\/([\w-]+)\.js'/g)];
  const workflows = exported.map(([, name, file]) => describeWorkflow(name, file, messages));
  return `${NOTE}

# Workflows

What runs on Temporal, on the task queue \`pipeline\`; fits and other heavy steps go to the queue \`training\`. The id of a job is the id of its workflow, so whatever
[the Temporal Web UI and the \`temporal\` command line](../guide/operate.md) can do works on jobs:

<!-- not run: the job is that of a reader -->

\`\`\`sh
temporal workflow query --workflow-id "$JOB" --type progress
temporal workflow signal --workflow-id "$JOB" --name pause
temporal workflow update execute --workflow-id "sweep-$JOB" --name stop_sweep
\`\`\`

The stage that a job is in is told by \`GET /jobs/{job_id}/status\`; which of them it goes through follows from its input. Each workflow can be found by the search attributes \`Model\`, \`JobType\` and
\`DatasetId\`, and can be cancelled.

${table(
  ['Workflow', 'Job type', 'Signals', 'Queries', 'Updates'],
  workflows.map(({ name, type, messages: own }) => [
    `[${code(name)}](#${name.toLowerCase()})`,
    type ? code(type) : '',
    ...['signal', 'query', 'update'].map((kind) =>
      own
        .filter((message) => message.kind === kind)
        .map((message) => code(message.name))
        .join(', '),
    ),
  ]),
)}

${workflows.map(renderWorkflow).join('\n\n')}
`;
}
