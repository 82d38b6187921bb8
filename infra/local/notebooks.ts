// `npm run notebooks`: sets Jupyter up once and opens the notebooks; see --help.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from '../../services/project-root.js';
import { prepareJupyter, type Jupyter } from './jupyter.js';

const HELP = `Opens the notebooks of notebooks/ in JupyterLab, on this machine only. They ask the service at MLOPS_URL
(default http://127.0.0.1:8080), with MLOPS_TOKEN where it wants to know who asks.

  npm run notebooks
  npm run notebooks -- --port 8889 --token "$JUPYTER_TOKEN"
  npm run notebooks -- --strip

  --port <n>       default 8888
  --token <text>   what the page asks for; by default a new one each time
  --strip          take the outputs out of the notebooks, as they are kept in git, and end
`;

/** Takes outputs and counts out of every notebook of a folder. */
function stripOutputs(folder: string): void {
  for (const name of readdirSync(folder).filter((one) => one.endsWith('.ipynb'))) {
    const path = join(folder, name);
    const notebook = JSON.parse(readFileSync(path, 'utf8')) as { cells: Record<string, unknown>[] };
    for (const cell of notebook.cells)
      if (cell['cell_type'] === 'code') Object.assign(cell, { outputs: [], execution_count: null });
    writeFileSync(path, `${JSON.stringify(notebook, null, 1)}\n`);
  }
}

async function openLab({ python, env }: Jupyter, root: string, port: string, token: string): Promise<number> {
  console.log(
    `\n  http://127.0.0.1:${port}/lab/tree/notebooks/data_exploration.ipynb?token=${token}\n\nCtrl-C ends it.`,
  );
  const child = spawn(
    python,
    [
      '-m',
      'jupyterlab',
      '--no-browser',
      '--ip=127.0.0.1',
      `--port=${port}`,
      '--ServerApp.port_retries=0',
      `--ServerApp.root_dir=${root}`,
      ...(process.getuid?.() === 0 ? ['--allow-root'] : []),
      '--log-level=WARN',
    ],
    // Through the environment: others on this machine can see arguments in the list of processes.
    { cwd: root, stdio: 'inherit', env: { ...env, JUPYTER_TOKEN: token } },
  );
  // Ctrl-C reaches Jupyter by itself; this process stays until it has ended.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return code ?? 0;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8888' },
      token: { type: 'string' },
      strip: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const root = projectRoot();
  if (values.strip) {
    stripOutputs(join(root, 'notebooks'));
    return 0;
  }
  if (!/^\d{1,5}$/.test(values.port)) throw new Error(`--port must be a port such as 8888, not "${values.port}".`);
  const jupyter = prepareJupyter(root, { withLab: true, say: (line) => console.log(`  … ${line}`) });
  if ('reason' in jupyter) throw new Error(jupyter.reason);
  return openLab(jupyter, root, values.port, values.token ?? randomBytes(16).toString('hex'));
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`notebooks: ${(error as Error).message}`);
  process.exitCode = 1;
}
