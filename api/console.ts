import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Express, Request, Response } from 'express';
import sirv from 'sirv';
import { ServiceError } from '../core/errors.js';
import { compiledScript } from '../services/project-root.js';
import { refuseMethod } from './middleware/refuse-method.js';

const FOLDER = compiledScript('console');
/** What the built page has where each answer has a value of its own. */
const NONCE = 'NONCE_OF_THIS_ANSWER';
const WORKFLOWS = 'ADDRESS_OF_WORKFLOWS';

/**
 * Its own scripts and nothing else. Styles that the components add while they run carry the nonce of the answer; reports of models are
 * shown in a frame and have a policy of their own.
 */
const policyFor = (nonce: string) =>
  `default-src 'none'; script-src 'self'; style-src 'self' 'nonce-${nonce}'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** Every address of the console; the page holds nothing of anybody. */
export const CONSOLE_PATH = '/ui{/*page}';

/** The web page at `/ui`, as `console/` was built: one page for every path below it, and files whose names change with their content. */
export function mountConsole(app: Express, temporal: { uiUrl?: string; namespace: string }): void {
  const index = join(FOLDER, 'index.html');
  const page = existsSync(index)
    ? readFileSync(index, 'utf8').replaceAll(WORKFLOWS, attribute(workflowsAddress(temporal)))
    : undefined;
  if (page)
    app.use(
      '/ui/assets',
      sirv(join(FOLDER, 'assets'), { brotli: true, gzip: true, immutable: true, maxAge: 31_536_000 }),
    );
  app.get(CONSOLE_PATH, (request: Request, response: Response) => {
    response.locals['route'] = '/ui';
    if (!page || request.path.startsWith('/ui/assets'))
      throw new ServiceError(
        'resource_not_found',
        page
          ? `There is no file ${request.path.slice(0, 200)}. Load the console again: it was built anew.`
          : 'The console has not been built. Run `npm run build` and start the service again.',
      );
    const nonce = randomBytes(18).toString('base64');
    response.setHeader('Content-Security-Policy', policyFor(nonce)).setHeader('Cache-Control', 'no-store');
    response.type('html').send(page.replaceAll(NONCE, nonce));
  });
  app.all(CONSOLE_PATH, refuseMethod(['GET']));
}

/** Where the Temporal Web UI lists workflows; empty where nobody said where it is. */
function workflowsAddress({ uiUrl, namespace }: { uiUrl?: string; namespace: string }): string {
  if (!uiUrl || !/^https?:\/\//.test(uiUrl)) return '';
  return `${uiUrl.replace(/\/+$/, '')}/namespaces/${encodeURIComponent(namespace)}/workflows/`;
}

const attribute = (text: string) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
