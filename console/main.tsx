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

const MOST_TRIES = 3;
/** A service that has too much to do has done nothing of what it refused. */
const isRefusedForNow = (error: Error) => error instanceof ServiceProblem && error.status === 429;
/** What is wrong with the request or the caller does not get right by asking again. */
const isWorthAnotherTry = (tries: number, error: Error) =>
  tries < MOST_TRIES && (isRefusedForNow(error) || !(error instanceof ServiceProblem && error.status < 500));
const retryDelay = (tries: number, error: Error) =>
  1000 * ((error instanceof ServiceProblem && error.retryAfterSeconds) || 2 ** tries);
const queries = new QueryClient({
  defaultOptions: {
    queries: { retry: isWorthAnotherTry, retryDelay, staleTime: 2000 },
    mutations: { retry: (tries, error) => tries < MOST_TRIES && isRefusedForNow(error), retryDelay },
  },
});

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
