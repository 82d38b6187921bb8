import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseStackFlags } from '../../../infra/local/stack-flags.js';

const parse = (line: string, environment: NodeJS.ProcessEnv = {}) =>
  parseStackFlags(line.split(' ').filter(Boolean), environment);

describe('the flags of npm start', () => {
  it('asks for nothing by default but the demo', () => {
    expect(parse('')).toEqual({
      help: false,
      fresh: false,
      quiet: false,
      demo: true,
      port: undefined,
      temporalPort: undefined,
      uiPort: undefined,
      stateDir: undefined,
      logLevel: undefined,
    });
  });

  it('reads each flag, with = or a blank', () => {
    expect(
      parse('--fresh --no-demo --quiet --port=0 --temporal-port 7300 --ui-port 8300 --state-dir /x --log-level debug'),
    ).toMatchObject({
      fresh: true,
      demo: false,
      quiet: true,
      port: 0,
      temporalPort: 7300,
      uiPort: 8300,
      stateDir: '/x',
      logLevel: 'DEBUG',
    });
  });

  it('lets a flag win over the variable that it stands for, and treats an empty variable as unset', () => {
    expect(parse('', { PORT: '9000', STATE_DIR: '/from/env' })).toMatchObject({ port: 9000, stateDir: '/from/env' });
    expect(parse('--port 9001 --state-dir /y', { PORT: '9000', STATE_DIR: '/x' })).toMatchObject({
      port: 9001,
      stateDir: '/y',
    });
    expect(parse('', { PORT: '', STATE_DIR: '' })).toMatchObject({ port: undefined, stateDir: undefined });
  });

  it.each([
    ['--prot 1', /--prot.*--help/s],
    ['extra', /extra.*--help/s],
    ['--port 65536', '--port must be a number from 0 to 65535, not "65536".'],
    ['--ui-port x', '--ui-port must be a number from 0 to 65535, not "x".'],
    ['--log-level loud', /--log-level must be one of TRACE.*not "loud"/],
    ['--state-dir=', '--state-dir must name a folder, but it is empty.'],
  ])('says what is wrong with %s', (line, message) => {
    expect(() => parse(line)).toThrow(message);
  });

  it('says which variable is wrong', () => {
    expect(() => parse('', { PORT: 'http' })).toThrow('PORT must be a number from 0 to 65535, not "http".');
  });

  it('has a line of help for every flag, and no other', () => {
    const help = readFileSync('infra/local/stack-help.txt', 'utf8');
    const documented = [...help.matchAll(/^ {2}--([a-z-]+)(?: <\w+>)? {2}/gm)].map((match) => match[1]);
    const known = [
      ...readFileSync('infra/local/stack-flags.ts', 'utf8').matchAll(/^ {2}'?([a-z-]+)'?: \{ type: /gm),
    ].map((match) => match[1]);
    expect(known.length).toBeGreaterThan(5);
    expect(new Set(documented)).toEqual(new Set(known));
  });
});
