import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { installationRoot, installedPackage } from '../installation.js';
import { isSessionExposed, sessionPath, type Session } from '../session-file.js';
import { examineGivenServers, examineLog, examineState } from './examine-state.js';
import { isListening } from './is-listening.js';
import { judgeNode, problem, warning, well, type Finding } from './finding.js';

/** What can be seen on this machine without the service. Disks and ports are looked at where the service is meant to run here. */
export async function examineMachine(session: Session): Promise<Finding[]> {
  const findings = [judgeNode(process.versions.node, installedPackage().engines.node), examineSession(session)];
  const { hostname } = new URL(session.url);
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(hostname)) return findings;
  const state = resolve(installationRoot(), process.env['STATE_DIR'] || '.state');
  const port = await examinePort(session.url);
  const isAway = port.some(({ state: found }) => found !== 'ok');
  return [
    ...findings,
    examineBuild(),
    ...(await examineState(state)),
    ...(await examineGivenServers(process.env)),
    ...port,
    ...(isAway ? examineLog(state) : []),
  ];
}

function examineSession({ url, origin, token }: Session): Finding {
  const from = { flag: '--url', MLOPS_URL: 'MLOPS_URL', login: '`mlops login`', default: 'the default' }[origin];
  if (isSessionExposed())
    return problem(
      'session_file',
      `${sessionPath()} can be read by others on this machine`,
      `chmod 600 ${sessionPath()}, and ask for a new token.`,
    );
  return well('session', `${url} (from ${from}), ${token === undefined ? 'without' : 'with'} a token`);
}

function examineBuild(): Finding {
  const root = installationRoot();
  const missing = ['dist/api/server.js', 'dist/workflow-bundle.js', 'node_modules'].find(
    (path) => !existsSync(join(root, path)),
  );
  return missing === undefined
    ? well('build', `built in ${root}`)
    : problem(
        'build',
        `${missing} is missing in ${root}`,
        'Run `npm start`, which installs and builds what is missing, or `npm ci && npm run build`.',
      );
}

/** A port that is taken by something else looks, from the outside, like a service that is broken. */
async function examinePort(url: string): Promise<Finding[]> {
  const { hostname, port, protocol } = new URL(url);
  const number = Number(port || (protocol === 'https:' ? 443 : 80));
  const isOpen = await isListening(hostname.replaceAll(/[[\]]/g, ''), number);
  if (!isOpen)
    return [
      problem(
        'port',
        `nothing listens on port ${number}`,
        'Start the service with `npm start`; if it runs elsewhere, name it: `mlops login --url <url>`.',
      ),
    ];
  const response = await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(5000) }).catch(() => undefined);
  const isOurs = response !== undefined && (await response.text().catch(() => '')).includes('"live"');
  if (isOurs) return [well('port', `the service listens on port ${number}`)];
  return [
    warning(
      'port',
      `another program, or a service that hangs, has port ${number}`,
      `\`lsof -i :${number}\` tells which. End it, or start the service elsewhere: PORT=8090 npm start, then \`mlops login --url http://127.0.0.1:8090\`.`,
    ),
  ];
}
