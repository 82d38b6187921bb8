import { Agent, fetch as fetchWith } from 'undici';
import { readTlsFiles, type TlsFiles } from './tls-files.js';
import { API_CLIENT_TLS } from './tls-settings.js';

/**
 * How workers call the API: with the authorities and the certificate of the settings, where there are any. Node's own `fetch` takes neither.
 * Certificates that were replaced are found with the next call.
 */
export function createApiFetch(files: TlsFiles): typeof fetch {
  if (Object.keys(files).length === 0) return fetch;
  return (async (input: string, init?: object) => {
    const agent = new Agent({ connect: readTlsFiles(files, API_CLIENT_TLS), pipelining: 0 });
    const response = await fetchWith(input, { ...init, dispatcher: agent });
    const body = await response.arrayBuffer();
    await agent.close();
    return new Response(body, { status: response.status, headers: [...response.headers] });
  }) as typeof fetch;
}
