import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkStateFolder, claimStateFolder, deleteStateFolder } from '../../../infra/local/state-folder.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-state-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the state folder', () => {
  it('is refused where it cannot be made, and the message names the flag that helps', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => claimStateFolder(join(folder, 'file'))).toThrow(/it is a file\. .*--state-dir/);
    expect(() => claimStateFolder(join(folder, 'file', 'state'))).toThrow(/a part of its path is a file/);
  });
});

describe('--fresh', () => {
  it("refuses a folder with someone's files in it, whatever they are called", () => {
    mkdirSync(join(folder, 'postgres'));
    writeFileSync(join(folder, 'precious'), '');
    expect(() => checkStateFolder(folder)).toThrow(/was not made by this service.*--state-dir/);
    // Having been used as a state folder by mistake does not make it ours.
    claimStateFolder(folder);
    expect(() => checkStateFolder(folder)).toThrow(/was not made by this service/);
  });

  it('accepts a folder of ours, an empty one and none', () => {
    checkStateFolder(folder);
    checkStateFolder(join(folder, 'absent'));
    const stateDir = join(folder, 'new', 'state');
    claimStateFolder(stateDir);
    writeFileSync(join(stateDir, 'data'), '');
    checkStateFolder(stateDir);
    deleteStateFolder(stateDir);
    expect(existsSync(stateDir)).toBe(false);
  });

  it('follows no record to a folder that is not of PostgreSQL', () => {
    const precious = join(folder, 'precious');
    const stateDir = join(folder, 'state');
    mkdirSync(precious);
    mkdirSync(join(stateDir, 'postgres'), { recursive: true });
    writeFileSync(join(stateDir, 'postgres', 'data-folder'), precious);
    deleteStateFolder(stateDir);
    expect(existsSync(precious)).toBe(true);
  });
});
