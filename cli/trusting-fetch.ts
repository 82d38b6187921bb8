import { readFileSync } from 'node:fs';
import { Agent, fetch as fetchWith } from 'undici';
import { CommandError, EXIT } from './exit-codes.js';

/** PEM files: whom the command line trusts besides the usual authorities, and with what it shows who it is. */
export interface TrustFiles {
  ca?: string;
  cert?: string;
  key?: string;
}

/** Node's own `fetch` takes no authority and no certificate. @throws CommandError for a file that cannot be read */
export function createTrustingFetch(files: TrustFiles): typeof fetch {
  const given = Object.entries(files).filter(([, path]) => path !== undefined) as [keyof TrustFiles, string][];
  if (given.length === 0) return fetch;
  if ((files.cert === undefined) !== (files.key === undefined))
    throw new CommandError(EXIT.usage, 'usage', 'Give --client-cert and --client-key together.');
  const connect = Object.fromEntries(given.map(([name, path]) => [name, readPem(name as keyof TrustFiles, path)]));
  const dispatcher = new Agent({ connect });
  return ((input: string, init?: object) => fetchWith(input, { ...init, dispatcher })) as unknown as typeof fetch;
}

const FLAGS: Record<keyof TrustFiles, string> = { ca: '--ca', cert: '--client-cert', key: '--client-key' };

function readPem(name: keyof TrustFiles, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new CommandError(
      EXIT.usage,
      'usage',
      `${FLAGS[name]} ${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`,
      'Give a file in PEM.',
    );
  }
}
