import '@mantine/core/styles.css';
import './style.css';
import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Router } from 'wouter';
import { App } from './app.js';
import { ServiceProblem } from './service/client.js';
import { theme } from './theme.js';

/** What is wrong with the request or the caller does not get right by asking again. */
const isWorthAnotherTry = (tries: number, error: Error) =>
  tries < 2 && !(error instanceof ServiceProblem && error.status < 500);
const queries = new QueryClient({ defaultOptions: { queries: { retry: isWorthAnotherTry, staleTime: 2000 } } });

/** Allows the styles that components add while they run. */
const nonce = document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce ?? '';
// Where the library that keeps the page still behind a dialog looks for it.
Object.assign(window, { __webpack_nonce__: nonce });

createRoot(document.querySelector('#root')!).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      <QueryClientProvider client={queries}>
        <Router base="/ui">
          <App />
        </Router>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
