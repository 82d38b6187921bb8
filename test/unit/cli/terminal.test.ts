import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeFile } from '../../../cli/commands/data.js';
import { ladderProgress, tellRollout } from '../../../cli/commands/deploy.js';
import { completeWords } from '../../../cli/complete-words.js';
import { describeEnd, type Job } from '../../../cli/follow-job.js';
import { createProgram } from '../../../cli/program.js';
import { readEvents } from '../../../cli/read-events.js';
import { isSessionExposed, keepSession, readSession } from '../../../cli/session-file.js';
import { createTerminal, formatSeconds, renderTable } from '../../../cli/terminal.js';

const commandsOf = (command: ReturnType<typeof createProgram>): ReturnType<typeof createProgram>[] => [
  command,
  ...command.commands.flatMap(commandsOf),
];

describe('the command line', () => {
  it('shows an example in the help of every command, and of every group those of its commands', () => {
    const commands = commandsOf(createProgram()).slice(1);
    expect(commands.length).toBeGreaterThan(40);
    for (const command of commands.filter((one) => !one.name().startsWith('__'))) {
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) });
      command.outputHelp();
      expect(help, command.name()).toMatch(/Examples:\n {2}\$ /);
    }
  });

  it('completes commands, flags and the values that a flag can have', () => {
    const program = createProgram();
    expect(completeWords(program, [])).toEqual(expect.arrayContaining(['train', 'jobs', 'doctor']));
    expect(completeWords(program, [])).not.toContain('__complete');
    expect(completeWords(program, ['jobs'])).toEqual(expect.arrayContaining(['list', 'watch', 'cancel']));
    expect(completeWords(program, ['jobs', 'list', '--status'])).toEqual(expect.arrayContaining(['failed', 'running']));
    expect(completeWords(program, ['train', 'm', '--json'])).toContain('--trials');
    expect(completeWords(program, ['train', 'm', '--json'])).not.toContain('--json');
    expect(completeWords(program, ['completion'])).toEqual(expect.arrayContaining(['bash', 'zsh', 'fish']));
  });

  it('writes moving lines over each other in a terminal, and once a stage in a log', () => {
    const out: string[] = [];
    const err: string[] = [];
    const log = createTerminal(false, { write: (text) => out.push(text) }, { write: (text) => err.push(text) });
    for (const [line, key] of [
      ['1 %', 'fit'],
      ['2 %', 'fit'],
      ['9 %', 'done'],
    ] as const)
      log.move(line, key);
    log.print('answer');
    expect([out, err]).toEqual([['answer\n'], ['1 %\n', '9 %\n']]);
    const shown: string[] = [];
    const terminal = createTerminal(
      false,
      { write: () => true },
      { write: (text) => shown.push(text), isTTY: true, columns: 10 },
    );
    terminal.move('a line that is long', 'x');
    terminal.print('answer');
    expect(shown).toEqual(['\r\x1b[2Ka line th', '\r\x1b[2K']);
  });

  it('says seconds and tables as people read them', () => {
    expect([3.2, 200, 7500].map(formatSeconds)).toEqual(['3 s', '3 min 20 s', '2 h 5 min']);
    expect(
      renderTable(
        ['A', 'NUMBER'],
        [
          ['long', 0.123456],
          ['x', null],
        ],
      ),
    ).toBe('A     NUMBER\nlong  0.1235\nx     -');
  });

  it('reads events that are cut anywhere', async () => {
    const bytes = new TextEncoder().encode(
      ': hi\n\nid: 1\nevent: status\ndata: {"é":1}\n\ndata: a\ndata: b\n\nevent: cut\nda',
    );
    async function* pieces() {
      for (const byte of bytes) yield Uint8Array.of(byte);
    }
    const events = [];
    for await (const event of readEvents(pieces())) events.push(event);
    expect(events).toEqual([
      { event: 'status', data: '{"é":1}' },
      { event: 'message', data: 'a\nb' },
    ]);
  });

  it('tells of a failed job its paths, and how to go on', () => {
    const error = { code: 'request_invalid', detail: 'Bad.', problems: [{ path: 'source', message: 'is absent' }] };
    const told = describeEnd({
      job_id: 'j',
      type: 'train',
      status: 'failed',
      error,
      correlation_id: 'c-1',
    } as unknown as Job);
    expect(told.join('\n')).toBe(
      'train j: failed\n  request_invalid: Bad.\n    source: is absent\n  When the cause is mended, `mlops jobs retry j` starts it again. Its id in the logs: c-1',
    );
  });

  it('tells of a rollout only what is new', () => {
    const rollout = (change: object) =>
      ({
        deployment_id: 'd',
        model: 'm',
        version: 'v2',
        strategy: 'canary',
        settings: { steps: [5, 50, 100] },
        state: 'running',
        traffic: { share: 5 },
        latest_evidence: null,
        ...change,
      }) as never;
    const first = rollout({});
    const window = { window: 1, verdict: 'HOLD', reason: 'Too few.' };
    expect(tellRollout(first, undefined)).toEqual(['m v2  running  [5] > 50 > 100 %']);
    expect(tellRollout(rollout({ latest_evidence: window }), first)).toEqual(['  HOLD: Too few.']);
    expect(tellRollout(rollout({}), first)).toEqual([]);
    expect(tellRollout(rollout({ state: 'holding', traffic: { share: 50 } }), first)).toEqual([
      'm v2  holding  5 > [50] > 100 %',
      '  A person must decide: `mlops rollouts approve|promote|abort d`.',
    ]);
  });

  it('tells how far a rollout is, and what its step still needs', () => {
    const rollout = (share: number, needed?: object) =>
      ({
        settings: { steps: [5, 50, 100] },
        traffic: { share },
        latest_evidence: needed ? { needed } : null,
      }) as never;
    expect(ladderProgress(rollout(50, { requests: 989.2, seconds: 200 }))).toBe(
      '███████░░░░░░░░░░░░░  33 %  step 2 of 3 (50 % of the traffic)  about 3 min 20 s until it can be judged: 990 requests more',
    );
    expect(ladderProgress(rollout(5))).toBe('░░░░░░░░░░░░░░░░░░░░   0 %  step 1 of 3 (5 % of the traffic)');
    expect(ladderProgress(rollout(7))).toBeUndefined();
  });

  it('knows what a file is by its name', () => {
    expect(describeFile('x/a.b.CSV.gz')).toEqual({ format: 'csv', compression: 'gzip' });
    expect(describeFile('a.jsonl')).toEqual({ format: 'ndjson', compression: 'none' });
    expect(() => describeFile('table.xlsx')).toThrow('cannot be told from its name');
  });

  it('completes in a real bash', () => {
    const script = `mlops() { node cli/mlops.mjs "$@"; }\neval "$(node cli/mlops.mjs completion bash)"
      COMP_WORDS=(mlops jobs li) COMP_CWORD=2; _mlops; echo "$COMPREPLY"`;
    const told = execFileSync('bash', ['-c', script], { encoding: 'utf8' });
    expect(told.trim()).toBe('list');
  });
});

describe('the session', () => {
  const env = { XDG_CONFIG_HOME: mkdtempSync(join(tmpdir(), 'mlops-session-')) };

  it('is of its owner alone, and its token goes to its own address alone', () => {
    expect(readSession(undefined, env)).toMatchObject({
      url: 'http://127.0.0.1:8080',
      token: undefined,
      origin: 'default',
    });
    const path = keepSession({ url: 'https://ml.example.com', token: 't' }, env);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(isSessionExposed(env)).toBe(false);
    expect(readSession(undefined, env)).toEqual({ url: 'https://ml.example.com', token: 't', origin: 'login' });
    expect(readSession('https://other.example.com/', env)).toEqual({
      url: 'https://other.example.com',
      token: undefined,
      origin: 'flag',
    });
    expect(readSession(undefined, { ...env, MLOPS_URL: 'http://h:1', MLOPS_TOKEN: 'x' })).toEqual({
      url: 'http://h:1',
      token: 'x',
      origin: 'MLOPS_URL',
    });
    chmodSync(path, 0o644);
    expect(isSessionExposed(env)).toBe(true);
    writeFileSync(path, '{');
    expect(() => readSession(undefined, env)).toThrow('cannot be read');
  });

  it.each(['ftp://host', 'localhost:8080', 'https://user:pw@host', 'https://host?x=1', ''])(
    'refuses the address %j',
    (url) => {
      expect(() => readSession(url || ' ', { XDG_CONFIG_HOME: '/nowhere' })).toThrow('is no address of a service');
    },
  );
});
