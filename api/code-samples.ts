/** What a sample is made of: an operation of the OpenAPI document. */
export interface SampledOperation {
  method: string;
  /** With `{name}` for parameters. */
  path: string;
  /** The JSON body of the example, where the operation takes one. */
  example?: unknown;
  /** Whether a repeated call can be made the same call by a key. */
  isStarting: boolean;
}

export interface CodeSample {
  lang: 'curl' | 'TypeScript' | 'Python';
  source: string;
}

/** Values by which paths of samples can be read; what is not here stands as its name in capitals. */
const PATH_EXAMPLES: Record<string, string> = {
  model: 'user_behavior',
  version: 'v1.0.0',
  a: 'v1.0.0',
  b: 'v1.1.0',
  alias: 'production',
};
const exampleOf = (name: string) => PATH_EXAMPLES[name] ?? name.toUpperCase();
const namesIn = (path: string) => [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
const filled = (path: string) => path.replaceAll(/\{(\w+)\}/g, (_, name: string) => exampleOf(name));

/** The same call by curl, by the typed client and by Python without anything installed. Those of the shell and of Python read the address from `API`. */
export function makeCodeSamples(operation: SampledOperation): CodeSample[] {
  return [
    { lang: 'curl', source: curlSample(operation) },
    { lang: 'TypeScript', source: typeScriptSample(operation) },
    { lang: 'Python', source: pythonSample(operation) },
  ];
}

function curlSample({ method, path, example, isStarting }: SampledOperation): string {
  const lines = [`curl -sSf${method === 'get' ? '' : ` -X ${method.toUpperCase()}`} "$API${filled(path)}"`];
  if (isStarting) lines.push('-H "Idempotency-Key: $(uuidgen)"');
  if (example !== undefined) {
    lines.push("-H 'content-type: application/json'");
    lines.push(`-d '${JSON.stringify(example, undefined, 2).replaceAll("'", String.raw`'\''`)}'`);
  }
  return lines.join(' \\\n  ');
}

function typeScriptSample({ method, path, example, isStarting }: SampledOperation): string {
  const names = namesIn(path);
  const parts = [
    ...(names.length > 0 ? [`path: { ${names.map((name) => `${name}: '${exampleOf(name)}'`).join(', ')} }`] : []),
    ...(example === undefined ? [] : [`body: ${JSON.stringify(example, undefined, 2).replaceAll('\n', '\n  ')}`]),
    ...(isStarting ? ['idempotencyKey: crypto.randomUUID()'] : []),
  ];
  const given = parts.length === 0 ? '' : `, {\n${parts.map((part) => `  ${part},\n`).join('')}}`;
  return `const client = createClient('http://127.0.0.1:8080');\nconst answer = await client.${method}('${path}'${given});`;
}

function pythonSample({ method, path, example, isStarting }: SampledOperation): string {
  const headers = [
    ...(example === undefined ? [] : [`"content-type": "application/json"`]),
    ...(isStarting ? [`"Idempotency-Key": str(uuid.uuid4())`] : []),
  ];
  return [
    `import json, os, urllib.request${isStarting ? ', uuid' : ''}`,
    '',
    ...(example === undefined ? [] : [`body = json.loads(r'''${JSON.stringify(example, undefined, 2)}''')`]),
    'request = urllib.request.Request(',
    `    os.environ["API"] + "${filled(path)}",`,
    `    method="${method.toUpperCase()}",`,
    ...(example === undefined ? [] : ['    data=json.dumps(body).encode(),']),
    ...(headers.length > 0 ? [`    headers={${headers.join(', ')}},`] : []),
    ')',
    'with urllib.request.urlopen(request) as response:',
    '    print(response.read().decode())',
  ].join('\n');
}
