/**
 * `npm run audit`: asks the package registry for known holes in the packages of the lock file that the service runs with. Says each with its
 * package, its way in and its advisory; ends with 1 where one is of high or critical severity, and with 2 where the registry does not answer
 * such questions, as mirrors often do not: nothing is known then. `--report FILE` reads a saved answer of `npm audit --json` instead.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const WORST_FIRST = ['critical', 'high', 'moderate', 'low', 'info'];
const FAILING = ['critical', 'high'];

function askRegistry() {
  const options = { encoding: 'utf8', maxBuffer: 2 ** 28, timeout: 120_000 };
  const { stdout, error } = spawnSync('npm', ['audit', '--json', '--omit', 'dev'], options);
  if (error) throw error;
  return stdout;
}

const describe = ({ name, severity, range, via, fixAvailable }) => {
  const why = via.map((cause) => (typeof cause === 'string' ? `by ${cause}` : `${cause.title} ${cause.url}`));
  return `${severity}: ${name} ${range}: ${why.join('; ')}${fixAvailable ? ' (a release mends it)' : ''}\n`;
};

const { values } = parseArgs({ options: { report: { type: 'string' } } });
const answer = JSON.parse(values.report === undefined ? askRegistry() : readFileSync(values.report, 'utf8'));
if (answer.vulnerabilities) {
  const found = Object.values(answer.vulnerabilities).sort(
    (one, other) => WORST_FIRST.indexOf(one.severity) - WORST_FIRST.indexOf(other.severity),
  );
  process.stdout.write(found.length === 0 ? 'No known holes.\n' : found.map(describe).join(''));
  process.exitCode = found.some(({ severity }) => FAILING.includes(severity)) ? 1 : 0;
} else {
  const reason = answer.message ?? answer.error?.summary ?? 'the answer has no findings in it';
  process.stderr.write(`Nothing is known of holes in dependencies: the registry does not answer (${reason}).\n`);
  process.exitCode = 2;
}
