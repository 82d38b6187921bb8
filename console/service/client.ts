import { createClient } from '../../clients/typescript/client.js';

export { ServiceProblem } from '../../clients/typescript/client.js';
export type { components } from '../../clients/typescript/client.js';

const TOKEN = 'ml-pipeline-token';

/** The caller's token, kept as long as the tab is open and sent with every call. */
export const readToken = (): string => sessionStorage.getItem(TOKEN) ?? '';

export function keepToken(token: string): void {
  if (token.trim() === '') sessionStorage.removeItem(TOKEN);
  else sessionStorage.setItem(TOKEN, token.trim());
}

/** `fetch` with the caller's token. */
export function sendSigned(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const token = readToken();
  if (token) headers.set('authorization', `Bearer ${token}`);
  return fetch(input, { ...init, headers });
}

/** The public API, and nothing else, is what the console talks to. */
export const client = createClient(window.location.origin, { fetch: sendSigned });

/** A key that makes a click one job, however often its request is sent. */
export const newKey = (): string => `console-${crypto.randomUUID()}`;
