// config.md: what the files of models/ may say, from the schemas that they are held to.
import { NOTE, code, table } from './markdown-table.mjs';
import { schemaReader } from './schema-rows.mjs';

/** @param files `[{name, title, about, schema}]`, `schema` as JSON Schema of the whole file */
export const renderConfig = (files) => `${NOTE}

# Files of models/

What \`models/config.yaml\` and its neighbours may say. They are read again when they change; what cannot be used is refused with its line, and the service goes on with
what it had. Editors with a YAML server complete and check them, by the schemas that stand beside them and that their first lines name.

\`{name}\` stands for a name that you choose, \`[]\` for each item of a list. What has no default may be left out, unless it is needed.

${files.map(renderFile).join('\n\n')}
`;

function renderFile({ title, name, about, schema }) {
  const reader = schemaReader({
    find: (ref) =>
      ref
        .split('/')
        .slice(1)
        .reduce((node, key) => node?.[key], schema),
  });
  // A file of named entries: the fields of one entry.
  const isMap = typeof schema.additionalProperties === 'object';
  const rows = reader.rowsOf(isMap ? schema.additionalProperties : schema, isMap ? '{name}.' : '');
  return `## ${title}\n\n${code(`models/${name}.yaml`)}: ${about}\n\n${table(
    ['Field', 'Type', 'Default', 'Meaning'],
    rows.map(({ path, type, isRequired, fallback, description }) => [
      code(path.replace(/^\{name\}\./, '')),
      type,
      fallback === undefined ? (isRequired ? 'needed' : '') : code(JSON.stringify(fallback)),
      description,
    ]),
  )}`;
}
