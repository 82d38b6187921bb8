/**
 * What must not be read in a log, by the names that fields have in requests, in our own records and in those of the SDK. Whatever stands
 * below such a name is left out as a whole.
 */
export const SENSITIVE_FIELDS = {
  /** Whoever has one of these can do something with it. */
  secret: [
    'access_key_id',
    'accessKeyId',
    'api_key',
    'apiKey',
    'authorization',
    'cookie',
    'credentials',
    'databaseUrl',
    'password',
    'private_key',
    'secret',
    'secret_access_key',
    'secretAccessKey',
    'taskToken',
    'token',
  ],
  /** These tell something about a person. */
  personal: [
    'caller',
    'context',
    'entities',
    'entity',
    'entity_id',
    'entity_ids',
    'entityId',
    'exclude',
    'features',
    'history',
    'inputs',
    'instances',
    'outcome',
    'predictions',
    'project_id',
    'recent_activities',
    'recent_items',
    'row',
    'series_id',
    'subject',
    'user_id',
    'values',
  ],
} as const;
