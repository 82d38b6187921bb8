import type { NextFunction, Request, Response } from 'express';
import { ServiceError } from '../../core/errors.js';

/** 415 for a body of any other type. */
export function requireType(...types: string[]) {
  return (request: Request, _response: Response, next: NextFunction): void => {
    // An empty body has no type; the schema then says what is missing.
    if (request.get('content-length') !== '0' && request.is(types) === false)
      throw new ServiceError(
        'media_type_unsupported',
        `This endpoint takes ${types.join(' or ')}, not "${(request.get('content-type') ?? '').slice(0, 100)}".`,
      );
    next();
  };
}
