/** An answer of MLflow that says no; `code` is its own, such as RESOURCE_DOES_NOT_EXIST. */
export class MlflowError extends Error {
  override readonly name = 'MlflowError';
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

const TIMEOUT_MS = 15_000;
const UPLOAD_TIMEOUT_MS = 120_000;

/** The part of MLflow's REST API that the mirror and the import need (https://mlflow.org/docs/latest/rest-api.html). */
export interface MlflowClient {
  get<T>(path: string, query: Record<string, string>): Promise<T>;
  post<T>(path: string, body: object): Promise<T>;
  patch<T>(path: string, body: object): Promise<T>;
  remove(path: string, body: object): Promise<void>;
  /** Through the server's own store of artifacts. @param path below its root */
  upload(path: string, bytes: Uint8Array): Promise<void>;
  /** @param most bytes; a larger file is refused while it is read */
  download(path: string, most: number): Promise<Uint8Array>;
}

/**
 * @param server such as `http://127.0.0.1:5000`
 * @throws MlflowError where the server refuses; Error where it cannot be reached within 15 s
 */
export function createMlflowClient(server: string, token?: string): MlflowClient {
  const root = server.replace(/\/+$/, '');
  const authorization: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};

  async function call(path: string, init: RequestInit, timeoutMs = TIMEOUT_MS): Promise<Response> {
    const response = await fetch(root + path, {
      ...init,
      headers: { ...authorization, ...(init.headers as Record<string, string> | undefined) },
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.ok) return response;
    const text = (await response.text()).slice(0, 2000);
    let told: { error_code?: string; message?: string } = {};
    try {
      told = JSON.parse(text) as typeof told;
    } catch {
      // A proxy in between answers in its own words.
    }
    throw new MlflowError(
      response.status,
      told.error_code ?? String(response.status),
      `MLflow answered ${response.status} to ${path.split('?')[0]}: ${told.message ?? text.slice(0, 200)}`,
    );
  }

  const send = async <T>(method: string, path: string, body: object): Promise<T> => {
    const init = { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    return (await (await call(`/api/2.0/mlflow/${path}`, init)).json()) as T;
  };
  const artifact = (path: string) =>
    `/api/2.0/mlflow-artifacts/artifacts/${path.split('/').map(encodeURIComponent).join('/')}`;

  return {
    get: async <T>(path: string, query: Record<string, string>) =>
      (await (await call(`/api/2.0/mlflow/${path}?${new URLSearchParams(query)}`, {})).json()) as T,
    post: (path, body) => send('POST', path, body),
    patch: (path, body) => send('PATCH', path, body),
    remove: async (path, body) => void (await send('DELETE', path, body)),
    upload: async (path, bytes) => {
      const body = bytes as Uint8Array<ArrayBuffer>;
      await (await call(artifact(path), { method: 'PUT', body }, UPLOAD_TIMEOUT_MS)).arrayBuffer();
    },
    download: async (path, most) => readBounded(await call(artifact(path), {}, UPLOAD_TIMEOUT_MS), most),
  };
}

async function readBounded(response: Response, most: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body as AsyncIterable<Uint8Array>) {
    bytes += part.length;
    if (bytes > most) throw new RangeError(`the file has more than ${most} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** The path below the server's own store, of a location such as `mlflow-artifacts:/1/abc/artifacts`; undefined for any other store. */
export function proxiedPath(location: string): string | undefined {
  return /^mlflow-artifacts:(?:\/\/[^/]*)?\/(.*)$/.exec(location)?.[1]?.replace(/\/+$/, '');
}
