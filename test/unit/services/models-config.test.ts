import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createModelsConfigReader,
  modelDefinition,
  ModelsConfigError,
} from '../../../services/training/models-config.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-config-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = () => join(folder, 'config.yaml');
const read = (text: string) => {
  writeFileSync(file(), text);
  return createModelsConfigReader(file())();
};
const refusal = async (text: string): Promise<string[]> => {
  const error = await read(text).then(
    () => undefined,
    (failure: unknown) => failure,
  );
  expect(error).toBeInstanceOf(ModelsConfigError);
  return (error as Error).message.split('\n');
};

describe('a models file', () => {
  it('is completed: kinds by name, sources by default', async () => {
    const { models } = await read(
      'user_behavior: {}\nmine:\n  kind: regression\n  target: y\nother: { kind: classification, target: y, source: shop }\n',
    );
    expect([...models.values()].map(({ name, kind, source }) => [name, kind, source])).toEqual([
      ['user_behavior', 'user_behavior', 'user_events'],
      ['mine', 'regression', 'mine'],
      ['other', 'classification', 'shop'],
    ]);
  });

  it.each<[string, string, RegExp]>([
    ['an unknown field', 'a:\n  kind: regression\n  target: y\n  colour: red\n', /^config\.yaml:4: a\.colour: /],
    [
      'a bad value deep inside',
      'a:\n  kind: regression\n  target: y\n  hyperparameters:\n    max_depth: 8\n    n_estimators: many\n',
      /^config\.yaml:6: a\.hyperparameters\.n_estimators: /,
    ],
    [
      'a setting of another algorithm',
      'a: {kind: regression, target: y}\nb:\n  kind: regression\n  target: y\n  hyperparameters: {momentum: 0.1}\n',
      /^config\.yaml:5: b\.hyperparameters\.momentum: /,
    ],
    [
      'an algorithm that the kind has not',
      'a:\n  kind: regression\n  target: y\n  algorithm: autoencoder\n',
      /^config\.yaml:4: a\.algorithm: is autoencoder, which the kind regression does not have/,
    ],
    [
      'an algorithm where there is none to choose',
      'a:\n  kind: recommendation\n  algorithm: linear\n',
      /^config\.yaml:3: a\.algorithm: .*leave it out/,
    ],
    [
      'the name of the sandbox of drills',
      'rollout_drill:\n  kind: regression\n  target: y\n',
      /^config\.yaml:1: rollout_drill: is the name of the sandbox/,
    ],
    ['an unknown kind', 'a:\n  target: y\n  kind: magic\n', /^config\.yaml:3: a\.kind: /],
    [
      'a field of another kind',
      'a:\n  kind: regression\n  target: y\n  costs: {false_positive: 1, false_negative: 5}\n',
      /^config\.yaml:4: a\.costs: has no effect for the kind regression/,
    ],
    [
      'costs without the class that is positive',
      'a:\n  kind: classification\n  target: y\n  costs: {false_positive: 1, false_negative: 5}\n',
      /^config\.yaml:4: a\.costs: needs `positive_class`/,
    ],
    [
      'a split in time without a time',
      'a:\n  kind: regression\n  target: y\n  split: time\n',
      /^config\.yaml:4: a\.split: needs `timestamp/,
    ],
    ['no kind', 'x: {kind: regression, target: y}\na: {target: y}\n', /^config\.yaml:2: a: needs a kind/],
    ['no target', 'a:\n  kind: regression\n', /^config\.yaml:1: a: needs a target/],
    [
      'a target among the features',
      'a:\n  kind: regression\n  target: y\n  features: [x, y]\n',
      /^config\.yaml:4: a\.features: .*leak/,
    ],
    [
      'an unknown feature of a fixed kind',
      'user_behavior:\n  features:\n    - activity_score\n    - shoe_size\n',
      /^config\.yaml:4: user_behavior\.features\.1: there is no feature shoe_size/,
    ],
    ['a name that no path takes', 'A-b:\n  kind: regression\n  target: y\n', /^config\.yaml:1: A-b: /],
    ['broken YAML', 'a:\n  kind: [regression\n', /^config\.yaml:[23]: not valid YAML/],
    [
      'the same model twice',
      'a: {kind: regression, target: y}\na: {kind: regression, target: z}\n',
      /^config\.yaml:2: not valid YAML/,
    ],
    ['a list', '- a\n- b\n', /^config\.yaml:1: file: /],
  ])('with %s is refused with its file, line and path', async (_title, text, message) => {
    expect((await refusal(text))[0]).toMatch(message);
  });

  it('is told every bad entry at once', async () => {
    const lines = await refusal(
      'a:\n  kind: regression\nb:\n  kind: classification\nc: {kind: regression, target: y, features: [y]}\n',
    );
    expect(lines.map((line) => line.split(':', 2)[1])).toEqual(['1', '3', '5']);
  });

  it('is told every unknown field at once, each with its own line', async () => {
    const lines = await refusal('a:\n  kind: regression\n  target: y\n  colour: red\n  size: 3\n');
    expect(lines).toEqual([
      expect.stringMatching(/^config\.yaml:4: a\.colour: /),
      expect.stringMatching(/^config\.yaml:5: a\.size: /),
    ]);
  });

  it('is read again when it has changed; while it is bad, it says so on each call', async () => {
    writeFileSync(file(), 'a: {kind: regression, target: y}\n');
    const reader = createModelsConfigReader(file());
    expect([...(await reader()).models.keys()]).toEqual(['a']);
    writeFileSync(file(), 'bb: {kind: regression, target: y}\n');
    utimesSync(file(), 1, 1);
    expect([...(await reader()).models.keys()]).toEqual(['bb']);
    writeFileSync(file(), 'bb: 7\n');
    for (let call = 0; call < 2; call++) await expect(reader()).rejects.toThrow('config.yaml:1: bb:');
  });

  it('that is missing names the setting; data types beside it are held to their schema', async () => {
    await expect(createModelsConfigReader(join(folder, 'none.yaml'))()).rejects.toThrow(/ENOENT.*MODELS_CONFIG/);
    writeFileSync(join(folder, 'data-types.yaml'), 'shop:\n  columns:\n    price: { minimum: low }\n');
    await expect(read('a: {kind: regression, target: y}\n')).rejects.toThrow(
      'data-types.yaml:3: shop.columns.price.minimum',
    );
  });

  it('knows a model by either spelling, and an unknown one is told the known ones', async () => {
    const config = await read('my_model: {kind: regression, target: y}\n');
    expect(modelDefinition(config, 'my-model').name).toBe('my_model');
    expect(() => modelDefinition(config, 'toString')).toThrow(/Known models: my_model/);
  });
});
