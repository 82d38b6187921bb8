import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { connect as openSocket } from 'node:net';
import { join, resolve } from 'node:path';
import { installationRoot, installedPackage } from '../installation.js';
import { isSessionExposed, sessionPath, type Session } from '../session-file.js';
import { judgeDisk, judgeNode, problem, warning, well, type Finding } from './finding.js';

/** What can be seen on this machine without the service. Disks and ports are looked at where the service is meant to run here. */
export async function examineMachine(session: Session): Promise<Finding[]> {
  const findings = [judgeNode(process.versions.node, installedPackage().engines.node), examineSession(session)];
  const { hostname } = new URL(session.url);
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(hostname)) return findings;
  return [...findings, examineBuild(), await examineDisk(), ...(await examinePort(session.url))];
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

async function examineDisk(): Promise<Finding> {
  const state = resolve(installationRoot(), process.env['STATE_DIR'] || '.state');
  const folder = existsSync(state) ? state : installationRoot();
  const { bavail, bsize } = await statfs(folder);
  return judgeDisk('disk_space', folder, bavail * bsize);
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

function isListening(host: string, port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = openSocket({ host, port, timeout: 2000 });
    const end = (isOpen: boolean) => {
      socket.destroy();
      done(isOpen);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}
