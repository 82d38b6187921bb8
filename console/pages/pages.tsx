import { lazy, Suspense } from 'react';
import { Route, Switch } from 'wouter';
import { EmptyState } from '../parts/empty-state.js';
import { AppLink } from '../parts/app-link.js';
import { Page } from '../parts/page.js';
import { OverviewPage } from './overview-page.js';

/** Each page is a file of its own to load, so that the first one is there at once. */
const PAGES = {
  '/models': lazy(() => import('./models-page.js')),
  '/models/:model': lazy(() => import('./model-page.js')),
  '/models/:model/versions/:version': lazy(() => import('./version-page.js')),
  '/models/:model/compare/:a/:b': lazy(() => import('./compare-page.js')),
  '/jobs': lazy(() => import('./jobs-page.js')),
  '/jobs/:id': lazy(() => import('./job-page.js')),
  '/rollouts': lazy(() => import('./rollouts-page.js')),
  '/rollouts/:id': lazy(() => import('./rollout-page.js')),
  '/datasets': lazy(() => import('./datasets-page.js')),
  '/datasets/:id': lazy(() => import('./dataset-page.js')),
  '/runs': lazy(() => import('./runs-page.js')),
  '/runs/:id': lazy(() => import('./run-page.js')),
  '/sweeps': lazy(() => import('./sweeps-page.js')),
  '/sweeps/:id': lazy(() => import('./sweep-page.js')),
  '/experiments': lazy(() => import('./experiments-page.js')),
  '/experiments/:id': lazy(() => import('./experiment-page.js')),
  '/schedules': lazy(() => import('./schedules-page.js')),
  '/features': lazy(() => import('./features-page.js')),
  '/features/:view': lazy(() => import('./feature-page.js')),
  '/quality': lazy(() => import('./quality-page.js')),
  '/alerts/:id': lazy(() => import('./alert-page.js')),
  '/repairs': lazy(() => import('./repairs-page.js')),
  '/repairs/:id': lazy(() => import('./repair-page.js')),
  '/alerts': lazy(() => import('./alerts-page.js')),
  '/drift': lazy(() => import('./drift-page.js')),
  '/performance': lazy(() => import('./performance-page.js')),
  '/audit': lazy(() => import('./audit-page.js')),
  '/settings': lazy(() => import('./settings-page.js')),
};

export function Pages() {
  return (
    <Suspense fallback={<div role="status" aria-label="Loading" />}>
      <Switch>
        <Route path="/" component={OverviewPage} />
        {Object.entries(PAGES).map(([path, component]) => (
          <Route key={path} path={path} component={component} />
        ))}
        <Route>
          <Page title="Nothing here">
            <EmptyState title="The console has no such page">
              <AppLink to="/">Go to the overview</AppLink>
            </EmptyState>
          </Page>
        </Route>
      </Switch>
    </Suspense>
  );
}
