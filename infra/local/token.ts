import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ServiceError } from '../../core/errors.js';
import { tokenRequestSchema } from '../../core/schemas/service-token.js';
import { createTokenStore, type TokenStore } from '../../services/auth/token-store.js';
import { openDatabase } from '../../services/database/database.js';
import { parseRequest } from '../../services/parse-request.js';
import { projectRoot } from '../../services/project-root.js';
import { postgresUrl } from './embedded-postgres.js';

const USAGE = `Tokens of programs, from the command line:
  npm run token -- create --name <name> --role <viewer|predictor|engineer|operator|admin>
                          [--models <model>,<model>] [--days <days until it ends>]
  npm run token -- list
  npm run token -- revoke <token id or name>
DATABASE_URL names the database; without it that of the running local stack in STATE_DIR is taken.
`;
/** As many as a list has at most. */
const ALL = { limit: 500 };

/** The first token of a new installation can only be made by somebody who reaches its database. */
async function main([command, ...rest]: string[]): Promise<string> {
  const { values, positionals } = parseArgs({
    args: rest,
    allowPositionals: true,
    options: {
      name: { type: 'string' },
      role: { type: 'string' },
      models: { type: 'string' },
      days: { type: 'string' },
    },
  });
  if (!['create', 'list', 'revoke'].includes(command ?? '')) throw new Error(USAGE);
  const database = openDatabase(databaseUrl(), () => undefined);
  try {
    const tokens = createTokenStore(database);
    const by = `command line: ${userInfo().username}`;
    if (command === 'list') return JSON.stringify(await tokens.list(ALL), undefined, 2);
    if (command === 'revoke') return JSON.stringify(await revoke(tokens, positionals[0] ?? '', by), undefined, 2);
    const wanted = parseRequest(tokenRequestSchema, {
      name: values.name,
      role: values.role,
      ...(values.models === undefined ? {} : { models: values.models.split(',') }),
      ...(values.days === undefined ? {} : { expires_in_days: Number(values.days) }),
    });
    return JSON.stringify(await tokens.create(wanted, by), undefined, 2);
  } finally {
    await database.close();
  }
}

async function revoke(tokens: TokenStore, named: string, by: string) {
  const { items } = await tokens.list(ALL);
  const found = items.find(({ token_id: id, name, revoked_at: at }) => id === named || (name === named && !at));
  return tokens.revoke(found?.token_id ?? named, by);
}

function databaseUrl(): string {
  const given = process.env['DATABASE_URL'];
  if (given) return given;
  const stateDir = process.env['STATE_DIR'] || '.state';
  const home = join(isAbsolute(stateDir) ? stateDir : resolve(projectRoot(), stateDir), 'postgres');
  if (!existsSync(join(home, 'port')))
    throw new Error(
      `DATABASE_URL is not set, and there is no local stack in ${stateDir}. Start it with \`npm start\`.`,
    );
  const [password, port] = ['password', 'port'].map((name) => readFileSync(join(home, name), 'utf8').trim());
  return postgresUrl({ password: password!, port: Number(port) });
}

try {
  process.stdout.write(`${await main(process.argv.slice(2))}\n`);
} catch (error) {
  const problems =
    error instanceof ServiceError ? error.problems.map(({ path, message }) => `\n  ${path}: ${message}`) : [];
  process.stderr.write(`${(error as Error).message}${problems.join('')}\n`);
  process.exitCode = 1;
}
