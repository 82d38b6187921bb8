import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import express, { type Express } from 'express';
import { refuseMethod } from './middleware/refuse-method.js';
import { buildOpenApi } from './openapi.js';

const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>ML Pipeline Service: API</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css"></head>
<body><p><a href="/ui">Open the console</a></p><div id="swagger-ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body>
</html>`;

/** Shows the samples of an operation above its answers. */
const START = `const Samples = ({ React, specSelectors, path, method }) => {
  const samples = specSelectors.specJson().getIn(['paths', path, method, 'x-codeSamples']);
  if (!samples) return null;
  return React.createElement('div', { className: 'opblock-section' },
    React.createElement('div', { className: 'opblock-section-header' }, React.createElement('h4', null, 'Samples')),
    samples.toJS().map(({ lang, source }) => React.createElement('details', { key: lang, className: 'opblock-description-wrapper' },
      React.createElement('summary', null, lang),
      React.createElement('pre', { className: 'microlight', tabIndex: 0 }, source))));
};
const SamplesPlugin = ({ React }) => ({ wrapComponents: { responses: (Original) => (props) =>
  React.createElement(React.Fragment, null, React.createElement(Samples, { React, ...props }), React.createElement(Original, props)) } });
SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true, tryItOutEnabled: true, plugins: [SamplesPlugin] });`;

/** The page's own script and styles; it loads nothing from elsewhere. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

/** What `mountDocs` answers besides the files below /docs/assets; it holds nothing of anybody. */
export const DOCUMENT_PATHS = ['/openapi.json', '/docs', '/docs/start.js'];

/** The OpenAPI document and, from files that come with the service, the page that shows it. */
export function mountDocs(app: Express): void {
  const document = JSON.stringify(buildOpenApi());
  const assets = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  app.get('/openapi.json', (_request, response) => {
    response.locals['route'] = '/openapi.json';
    response.type('application/json').send(document);
  });
  app.get('/docs', (_request, response) => {
    response.locals['route'] = '/docs';
    response.setHeader('Content-Security-Policy', POLICY).type('html').send(PAGE);
  });
  app.get('/docs/start.js', (_request, response) => void response.type('js').send(START));
  app.all(DOCUMENT_PATHS, refuseMethod(['GET']));
  app.use('/docs/assets', express.static(assets, { index: false, maxAge: '1d' }));
}
