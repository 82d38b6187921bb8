import { ServiceError } from '../../core/errors.js';
import type { HttpOptions } from '../../core/schemas/ingestion.js';
import type { Answer } from './ask-politely.js';
import type { Page } from './read-page.js';

/** The address of the first page. */
export function firstPageUrl(start: URL, { paging }: HttpOptions): URL {
  const url = new URL(start);
  url.username = '';
  url.password = '';
  if (paging?.by === 'offset') {
    url.searchParams.set(paging.parameter, '0');
    url.searchParams.set(paging.size_parameter, String(paging.size));
  }
  if (paging?.by === 'page') {
    url.searchParams.set(paging.parameter, String(paging.first));
    if (paging.size_parameter && paging.size) url.searchParams.set(paging.size_parameter, String(paging.size));
  }
  return url;
}

/**
 * The address of the page after one.
 * @param at.records of all pages up to this one
 * @returns undefined after the last: one without records where pages are counted, else one that names no other
 * @throws ServiceError `source_unreadable` for a next address that is none
 */
export function nextPageUrl(
  { paging }: HttpOptions,
  at: { url: URL; page: Page; answer: Answer; records: number },
): URL | undefined {
  const url = new URL(at.url);
  switch (paging?.by) {
    case 'link':
      return linkedUrl(paging.at === undefined ? linkHeader(at.answer) : at.page.lookUp(paging.at), at.answer.url);
    case 'cursor': {
      const cursor = at.page.lookUp(paging.at);
      if (cursor === undefined) return undefined;
      url.searchParams.set(paging.parameter, cursor);
      return url;
    }
    case 'offset':
      if (at.page.records === 0) return undefined;
      url.searchParams.set(paging.parameter, String(at.records));
      return url;
    case 'page':
      if (at.page.records === 0) return undefined;
      url.searchParams.set(paging.parameter, String(Number(url.searchParams.get(paging.parameter)) + 1));
      return url;
    case undefined:
      return undefined;
  }
}

function linkedUrl(link: string | undefined, base: URL): URL | undefined {
  if (link === undefined) return undefined;
  if (URL.canParse(link, base.href)) return new URL(link, base.href);
  throw new ServiceError('source_unreadable', 'The source names a next page whose address is no URL.');
}

/** RFC 8288: `<https://…?page=2>; rel="next"`. */
function linkHeader({ headers }: Answer): string | undefined {
  const links = String(headers.link ?? '').matchAll(/<([^>]*)>([^<]*)/g);
  for (const [, target, parameters] of links)
    if (/;\s*rel\s*=\s*("[^"]*\bnext\b[^"]*"|next\b)/i.test(parameters ?? '')) return target;
  return undefined;
}
