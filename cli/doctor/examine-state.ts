import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isListening } from './is-listening.js';
import { judgeDisk, problem, well, type Finding } from './finding.js';
import { statfs } from 'node:fs/promises';

/** The state folder: that it is one, that it can be written to, and that it has room. @param folder may not be there yet */
export async function examineState(folder: string): Promise<Finding[]> {
  let place = folder;
  while (!existsSync(place)) place = dirname(place);
  const choose = 'choose another folder: STATE_DIR=<folder>, or npm start -- --state-dir <folder>.';
  if (!statSync(place).isDirectory())
    return [
      problem(
        'state_folder',
        `${place} is a file, and the state is to be kept in ${folder}`,
        `Move it away, or ${choose}`,
      ),
    ];
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const message = `this user may not write to ${place} (${code})`;
    return [problem('state_folder', message, `Give it to the user who runs the service (chown), or ${choose}`)];
  }
  const { bavail, bsize } = await statfs(place);
  return [well('state_folder', `${folder} can be written to`), judgeDisk('disk_space', place, bavail * bsize)];
}

const GIVEN = {
  DATABASE_URL: { server: 'PostgreSQL', port: 5432, form: 'postgresql://user:password@host:5432/database' },
  TEMPORAL_ADDRESS: { server: 'Temporal', port: 7233, form: '127.0.0.1:7233' },
  REDIS_URL: { server: 'Redis', port: 6379, form: 'redis://host:6379/0' },
} as const;

/** The servers that the settings of this terminal name, from here: a service that is told of wrong ones does not start. */
export async function examineGivenServers(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const found = Object.entries(GIVEN).map(async ([name, { server, port, form }]) => {
    const given = env[name];
    if (!given) return [];
    const check = `setting:${name}`;
    const text = name === 'TEMPORAL_ADDRESS' ? `temporal://${given}` : given;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (!url?.hostname)
      return [problem(check, `${name} is no address of a ${server}`, `Write it as ${form}, or unset it.`)];
    const place = `${url.hostname}:${url.port || port}`;
    return (await isListening(url.hostname.replaceAll(/[[\]]/g, ''), Number(url.port || port)))
      ? [well(check, `something listens at ${place}`)]
      : [
          problem(
            check,
            `nothing listens at ${place}, where ${name} says that ${server} is`,
            `Start it, correct ${name}, or unset it.`,
          ),
        ];
  });
  return (await Promise.all(found)).flat();
}

const TAIL_BYTES = 65_536;

/** What the API has said last of an error, in a service that does not answer. @param folder the state folder */
export function examineLog(folder: string): Finding[] {
  const file = join(folder, 'logs', 'api.log');
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').slice(-TAIL_BYTES).trim().split('\n');
  const last = lines.map(readLine).findLast(({ isError }) => isError);
  if (!last) return [];
  return [
    problem(
      'log',
      `the API has said last: ${last.text.slice(0, 300)}`,
      `Mend that and start it again. All of it is in ${file}.`,
    ),
  ];
}

/** A line of the log; one that is no record was written by a process that ended on its way. */
function readLine(line: string): { isError: boolean; text: string } {
  try {
    const { level, message, err, error } = JSON.parse(line) as Record<string, unknown>;
    const reason = (err ?? error) as { message?: string } | string | undefined;
    const why = typeof reason === 'string' ? reason : reason?.message;
    return { isError: level === 'error' || level === 'fatal', text: [message, why].filter(Boolean).join(': ') };
  } catch {
    return { isError: line.trim() !== '' && !/^\s+at /.test(line), text: line.trim() };
  }
}
