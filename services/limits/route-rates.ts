import { z } from 'zod';

const ROUTE_RATE = /^((?:GET|POST|PUT|DELETE) \/[^\s=]*)=([1-9]\d{0,6})$/;

/** RATE_LIMIT_ROUTES: requests a minute of one caller, by method and path. */
export const routeRates = z
  .string()
  .default('')
  .transform((value) =>
    value
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean),
  )
  .pipe(z.array(z.string().regex(ROUTE_RATE, 'must be like POST /models/train=10, separated by commas')))
  .transform(
    (parts): ReadonlyMap<string, number> =>
      new Map(parts.map((part) => [part.split('=')[0]!, Number(part.split('=')[1])])),
  )
  .describe(
    'Requests a minute that one caller may send to single routes, such as `POST /models/train=10,POST /predict/{model}=6000`; the path as in the OpenAPI document',
  );
