import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERROR_TABLE } from '../../../core/errors.js';
import { projectRoot } from '../../../services/project-root.js';
import { readRootFile } from '../../support/deployment-tools.js';

/** Codes that only jobs have. */
const JOB_CODES = ['job_terminated', 'job_timeout', 'job_lost'];
const runbooks = readdirSync(join(projectRoot(), 'docs/runbooks')).map((name) => ({
  name,
  text: readRootFile(`docs/runbooks/${name}`),
}));

describe('the documents of operation', () => {
  it('say of every table what bounds it', () => {
    const guide = readRootFile('docs/guide/deploy.md');
    const tables = [...readRootFile('prisma/schema.prisma').matchAll(/@@map\("(\w+)"\)/g)].map(([, table]) => table!);
    expect(tables.length).toBeGreaterThan(40);
    expect(tables.filter((table) => !guide.includes(`\`${table}\``))).toEqual([]);
  });

  it('have a runbook for each trouble, which the index leads to', () => {
    const index = runbooks.find(({ name }) => name === 'README.md')!.text;
    for (const { name } of runbooks) if (name !== 'README.md') expect(index, name).toContain(`(${name})`);
    for (const name of ['stuck-workflows', 'poison-messages', 'lost-worker', 'training-failures']) {
      const { text } = runbooks.find((one) => one.name === `${name}.md`)!;
      for (const program of ['temporal ', 'tctl ']) expect(text, name).toContain(program);
    }
  });

  it('name only error codes that there are', () => {
    const codes = new Set([...Object.keys(ERROR_TABLE), ...JOB_CODES]);
    const rows = runbooks
      .find(({ name }) => name === 'training-failures.md')!
      .text.matchAll(/^\| ((?:`[a-z_]+`(?:, )?)+)/gm);
    const named = [...rows].flatMap(([, cell]) => [...cell!.matchAll(/`(\w+)`/g)].map(([, code]) => code!));
    expect(named.length).toBeGreaterThan(8);
    expect(named.filter((code) => !codes.has(code))).toEqual([]);
  });
});
