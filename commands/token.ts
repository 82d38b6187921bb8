import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { ServiceError } from '../core/errors.js';
import { tokenRequestSchema } from '../core/schemas/service-token.js';
import { keepTokenFile } from '../services/auth/keep-token-file.js';
import { createTokenStore, type TokenStore } from '../services/auth/token-store.js';
import { loadConfig } from '../services/config.js';
import { openDatabase } from '../services/database/database.js';
import { parseRequest } from '../services/parse-request.js';
import { readWords, runCommand } from './run-command.js';

const USAGE = `Usage: npm run token -- create --name NAME --role viewer|predictor|engineer|operator|admin
                               [--models MODEL,MODEL] [--days DAYS] [--to FILE]
       npm run token -- list
       npm run token -- revoke ID_OR_NAME

Tokens of programs, made by whoever reaches the database.
  --days  until it ends by itself; never without it
  --to    keeps the token in FILE and does not show it: makes one where FILE has none of this name that works, in the place
          of one that was lost. With - it prints the token alone`;

/** As many as a list has at most. */
const ALL = { limit: 500 };
const FLAGS = {
  name: { type: 'string' },
  role: { type: 'string' },
  models: { type: 'string' },
  days: { type: 'string' },
  to: { type: 'string' },
} as const;

type Flags = Partial<Record<keyof typeof FLAGS, string>>;

/** Whoever ran the command; the account of a container has no name. */
function whoRuns(): string {
  try {
    return `command line: ${userInfo().username}`;
  } catch {
    return `command line: account ${process.getuid?.() ?? 'unknown'}`;
  }
}

/** @throws Error with each flag that is wrong */
function tokenAsked({ name, role, models, days }: Flags) {
  try {
    return parseRequest(tokenRequestSchema, {
      name,
      role,
      ...(models === undefined ? {} : { models: models.split(',') }),
      ...(days === undefined ? {} : { expires_in_days: Number(days) }),
    });
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const problems = error.problems.map(({ path, message }) => `\n  ${path}: ${message}`);
    throw new Error(error.message + problems.join(''), { cause: error });
  }
}

async function create(tokens: TokenStore, flags: Flags, by: string): Promise<string> {
  const wanted = tokenAsked(flags);
  if (flags.to === undefined) return shown(await tokens.create(wanted, by));
  if (flags.to === '-') return (await tokens.create(wanted, by)).token;
  const path = resolve(flags.to);
  const isNew = await keepTokenFile(tokens, wanted, { path, by });
  return isNew ? `${path} has a new token.` : `${path} has its token already.`;
}

async function revoke(tokens: TokenStore, named: string, by: string): Promise<string> {
  const inUse = await tokens.findInUse(named);
  return shown(await tokens.revoke(inUse?.token_id ?? named, by));
}

const shown = (answer: object) => JSON.stringify(answer, undefined, 2);

await runCommand(async (say) => {
  const { words, flags } = readWords(FLAGS, USAGE);
  const [command, named, ...more] = words;
  const isComplete = command === 'revoke' ? named !== undefined : named === undefined;
  if (!['create', 'list', 'revoke'].includes(command ?? '') || !isComplete || more.length > 0) throw new Error(USAGE);
  const database = openDatabase(loadConfig().databaseUrl, () => undefined);
  try {
    const tokens = createTokenStore(database);
    if (command === 'list') say(shown(await tokens.list(ALL)));
    else if (command === 'revoke') say(await revoke(tokens, named!, whoRuns()));
    else say(await create(tokens, flags, whoRuns()));
    return 0;
  } finally {
    await database.close();
  }
});
