/**
 * Serves `user_behavior` (three heads of 100 trees) and measures it beside FastAPI with scikit-learn, FastAPI with ONNX Runtime and
 * a bare Express handler, each in turn on one process with 32 connections of wrk, and prints medians and ratios as JSON lines.
 *
 * Run: node dist/bench/serve.js [--seconds 5] [--repeats 3] [--ours-only]     (needs wrk on PATH)
 * PEERS_DIR has serve_fastapi.py and serve_onnx.py (default ../shared/peers), PEERS_PYTHON is a Python with what they need
 * (default ~/.cache/peers-venv/bin/python). Absent peers are skipped aloud. Our prediction cache is off.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import express from 'express';
import { freePort } from '../infra/local/free-port.js';
import { median } from '../ml/evaluate/median.js';
import { startServedStack } from './served-stack.js';

interface Load {
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  failed: number;
}

const peersDir = resolve(process.env['PEERS_DIR'] ?? '../shared/peers');
const python = process.env['PEERS_PYTHON'] ?? join(homedir(), '.cache/peers-venv/bin/python');
const folder = mkdtempSync(join(tmpdir(), 'mlops-bench-'));
const PATH_OF_PREDICTION = '/predict/user-behavior';

/** 200 different requests in turn. */
function writeScript(): string {
  const bodies = Array.from({ length: 200 }, (_, index) => {
    const at = (step: number) => ((index * step) % 200) / 200;
    const features = {
      activity_score: at(7),
      project_count: index % 20,
      collaboration_score: at(11),
      ai_usage_frequency: at(13),
    };
    return `'${JSON.stringify({ user_id: `user_${index}`, features })}'`;
  });
  const path = join(folder, 'predict.lua');
  writeFileSync(
    path,
    `local bodies = {${bodies.join(',')}}\nlocal i = 0\nrequest = function() i = i % #bodies + 1; return wrk.format("POST", nil, {["Content-Type"]="application/json"}, bodies[i]) end\n`,
  );
  return path;
}

function runWrk(url: string, script: string, seconds: number): Load {
  const text = execFileSync(
    'wrk',
    ['-t1', '-c32', `-d${seconds}s`, '--timeout', '10s', '--latency', '-s', script, url],
    { encoding: 'utf8' },
  );
  const inMs = (value: string) =>
    Number.parseFloat(value) * (value.endsWith('us') ? 0.001 : value.endsWith('ms') ? 1 : 1000);
  const find = (pattern: RegExp) => pattern.exec(text)?.[1] ?? 'NaN';
  return {
    requestsPerSecond: Number(find(/Requests\/sec:\s+([\d.]+)/)),
    p50Ms: inMs(find(/50%\s+(\S+)/)),
    p99Ms: inMs(find(/99%\s+(\S+)/)),
    failed: Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0),
  };
}

async function waitUntilAnswering(url: string, child: ChildProcess): Promise<void> {
  const body = JSON.stringify({
    user_id: 'u',
    features: { activity_score: 0.5, project_count: 3, collaboration_score: 0.5, ai_usage_frequency: 0.5 },
  });
  for (;;) {
    if (child.exitCode !== null) throw new Error(`The server at ${url} ended with code ${child.exitCode}.`);
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body }).catch(
      () => undefined,
    );
    if (answer?.ok) return;
    await new Promise((resolve_) => setTimeout(resolve_, 200));
  }
}

/** One FastAPI process. Two settings that slow NumPy down where a machine sets them are left out. */
async function withPeer<T>(module: string, work: (url: string) => T): Promise<T> {
  const port = await freePort();
  const env = { ...process.env };
  delete env['OPENBLAS_CORETYPE'];
  delete env['OPENBLAS_L2_SIZE'];
  const child = spawn(
    python,
    [
      '-m',
      'uvicorn',
      `${module}:app`,
      '--port',
      String(port),
      '--workers',
      '1',
      '--no-access-log',
      '--log-level',
      'warning',
    ],
    { cwd: peersDir, env, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  return withServer(child, port, work);
}

async function withExpress<T>(work: (url: string) => T): Promise<T> {
  const port = await freePort();
  return withServer(
    spawn(process.execPath, [fileURLToPath(import.meta.url), 'express', String(port)], { stdio: 'inherit' }),
    port,
    work,
  );
}

async function withServer<T>(child: ChildProcess, port: number, work: (url: string) => T): Promise<T> {
  const url = `http://127.0.0.1:${port}${PATH_OF_PREDICTION}`;
  try {
    await waitUntilAnswering(url, child);
    return work(url);
  } finally {
    const gone = new Promise((resolve_) => child.once('exit', resolve_));
    if (child.exitCode === null && child.kill('SIGTERM')) await gone;
  }
}

/** A handler that reads the body and answers a constant of the same size: what Express itself can do. */
function serveExpress(port: number): void {
  const answer = {
    prediction_id: 'pred_0123456789abcdef0123456789abcdef',
    model: 'user_behavior',
    model_version: 'v1.0.0',
    predictions: { churn_probability: 0.123456, engagement_level: 'medium', next_activity: 'code_review' },
    confidence_scores: { churn_probability: 0.876544, engagement_level: 0.612345, next_activity: 0.712345 },
    cached: false,
  };
  const app = express();
  app.post(PATH_OF_PREDICTION, express.json(), (_request, response) => void response.json(answer));
  app.listen(port, '127.0.0.1');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '5' },
      repeats: { type: 'string', default: '3' },
      'ours-only': { type: 'boolean', default: false },
    },
  });
  const seconds = Number(values.seconds);
  const script = writeScript();
  const loads = new Map<string, Load[]>();
  const measure = (name: string) => (url: string) => {
    runWrk(url, script, 1);
    loads.set(name, [...(loads.get(name) ?? []), runWrk(url, script, seconds)]);
  };
  const hasPeers = existsSync(join(peersDir, 'serve_fastapi.py')) && existsSync(python);
  if (!hasPeers)
    process.stderr.write(`SKIPPED the peers: ${peersDir} or ${python} is absent (PEERS_DIR, PEERS_PYTHON).\n`);
  const stack = await startServedStack();
  try {
    for (let repeat = 0; repeat < Number(values.repeats); repeat++) {
      measure('ours')(stack.api + PATH_OF_PREDICTION);
      if (values['ours-only']) continue;
      await withExpress(measure('bare-express'));
      if (!hasPeers) continue;
      await withPeer('serve_fastapi', measure('fastapi-scikit-learn'));
      await withPeer('serve_onnx', measure('fastapi-onnx-runtime'));
    }
  } finally {
    await stack.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  print(loads);
}

function print(loads: ReadonlyMap<string, Load[]>): void {
  const rate = (name: string) => median((loads.get(name) ?? []).map((load) => load.requestsPerSecond));
  for (const [name, runs] of loads) {
    const of = (pick: (load: Load) => number) => Math.round(median(runs.map(pick)) * 100) / 100;
    process.stdout.write(
      `${JSON.stringify({ name: 'serve', server: name, requests_per_second: of((load) => load.requestsPerSecond), p50_ms: of((load) => load.p50Ms), p99_ms: of((load) => load.p99Ms), failed: runs.reduce((sum, load) => sum + load.failed, 0) })}\n`,
    );
  }
  for (const name of loads.keys()) {
    if (name !== 'ours')
      process.stdout.write(
        `${JSON.stringify({ name: 'serve.ratio', ours_to: name, ratio: Math.round((rate('ours') / rate(name)) * 100) / 100 })}\n`,
      );
  }
}

if (process.argv[2] === 'express') serveExpress(Number(process.argv[3]));
else await main();
