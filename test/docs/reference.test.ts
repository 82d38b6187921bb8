import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectRoot } from '../../services/project-root.js';
import { schemaProblems, type JsonSchema } from '../integration/api/support/json-schema.js';

it('keeps the reference of calls, settings, metrics, errors, workflows and the files of models/ the same as the code', () => {
  const script = join(projectRoot(), 'docs/reference/make-reference.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

it.each(['config', 'data-types', 'features'])(
  'gives editors a schema of models/%s.yaml that the file fits and a slip does not',
  (name) => {
    const read = (file: string) => readFileSync(join(projectRoot(), 'models', file), 'utf8');
    const schema = JSON.parse(read(`${name}.schema.json`)) as JsonSchema;
    const text = read(`${name}.yaml`);
    expect(text.split('\n')[0]).toBe(`# yaml-language-server: $schema=./${name}.schema.json`);
    const entries = parse(text) as Record<string, object>;
    const entry = schema['additionalProperties'] as JsonSchema;
    expect(Object.keys(entries).length).toBeGreaterThan(0);
    // A name that is none is marked as you write it.
    expect(entry['additionalProperties']).toBe(false);
    for (const [entryName, value] of Object.entries(entries)) {
      expect(schemaProblems(entry, value, schema), entryName).toEqual([]);
      expect(schemaProblems(entry, { ...value, description: 1 }, schema), entryName).not.toEqual([]);
    }
  },
);
