import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { ServiceError } from '../../core/errors.js';
import { NAME_PATTERN } from '../../core/names.js';

const secretsSchema = z.record(
  z.string().regex(NAME_PATTERN),
  z.strictObject({
    value: z
      .string()
      .min(1)
      .max(16_384)
      .regex(/^[\x20-\x7e]+$/),
    hosts: z.array(z.string().min(1).toLowerCase()).min(1),
  }),
);

const invalid = (message: string) =>
  new ServiceError('request_invalid', `The secret is not possible: options.http.secret ${message}.`, [
    { path: 'options.http.secret', message },
  ]);

/**
 * A named secret, read anew each time so that a changed one counts at once. It goes to the hosts that its entry names and to no other: who may
 * start an ingestion need not know it, and cannot have it sent to a server of his own.
 * @param file SOURCE_SECRETS_FILE
 * @throws ServiceError `request_invalid` when it is not there or not for the host; `dependency_unavailable` when the file cannot be read
 */
export async function readSecret(file: string | undefined, name: string, host: string): Promise<string> {
  if (file === undefined) throw invalid('needs SOURCE_SECRETS_FILE, which an operator sets');
  const secrets = await readSecrets(file);
  const secret = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
  if (!secret) throw invalid(`names no secret of SOURCE_SECRETS_FILE: "${name}"`);
  if (!secret.hosts.includes(host)) throw invalid(`may not be sent to ${host}: its "hosts" do not name it`);
  return secret.value;
}

async function readSecrets(file: string): Promise<z.output<typeof secretsSchema>> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  // What is wrong with the file is not told: a message of the parser quotes it.
  const parsed = text === undefined ? undefined : secretsSchema.safeParse(parseYaml(text));
  if (parsed?.success) return parsed.data;
  throw new ServiceError(
    'dependency_unavailable',
    'SOURCE_SECRETS_FILE cannot be read, or is no map of names to {value, hosts}.',
    [],
    30,
  );
}

function parseYaml(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}
