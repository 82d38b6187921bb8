import { ServiceError } from '../../core/errors.js';
import type { Connector, SourceOption, SourceRequest } from './connector.js';
import { fileConnector } from './file-connector.js';
import { httpConnector } from './http-connector.js';
import { postgresConnector } from './postgres-connector.js';
import { predictionsConnector } from './predictions-connector.js';
import { s3Connector } from './s3-connector.js';
import { forbiddenSource, schemeOf } from './seal-source.js';

/** Connectors by the scheme of their sources; a source without one is a file. */
const CONNECTORS: Record<string, Connector> = {
  postgresql: postgresConnector,
  https: httpConnector,
  s3: s3Connector,
  predictions: predictionsConnector,
};
const ALL: readonly Connector[] = [...Object.values(CONNECTORS), fileConnector];
const ALIASES: Record<string, string> = { postgres: 'postgresql', http: 'https' };

/** @throws ServiceError `source_forbidden` for a scheme that nothing here reads */
export function findConnector(source: string): Connector {
  const scheme = schemeOf(source);
  if (scheme === undefined) return fileConnector;
  const connector = Object.hasOwn(CONNECTORS, ALIASES[scheme] ?? scheme)
    ? CONNECTORS[ALIASES[scheme] ?? scheme]
    : undefined;
  if (connector) return connector;
  throw forbiddenSource(
    `Sources of the kind "${scheme.slice(0, 40)}:" are not supported. Use ${Object.keys(CONNECTORS)
      .map((name) => `${name}:`)
      .join(', ')} or a file below one of the data folders.`,
  );
}

/**
 * An option that the source does not have would be passed over in silence, and somebody relies on it.
 * @throws ServiceError `request_invalid` with the path of each
 */
export function refuseMeaninglessOptions(connector: Connector, { options }: SourceRequest): void {
  const isGiven = (name: SourceOption) => options[name] !== undefined;
  const problems = [...new Set(ALL.flatMap((other) => other.options))]
    .filter((name) => isGiven(name) && !connector.options.includes(name))
    .map((name) => {
      const owners = ALL.filter((other) => other.options.includes(name)).map((other) => other.title);
      return { path: `options.${name}`, message: `is for ${owners.join(' and ')} only; leave it out` };
    });
  if (problems.length > 0) throw new ServiceError('request_invalid', 'The source has no such options.', problems);
}
