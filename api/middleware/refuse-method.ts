import type { Request, Response } from 'express';
import { ServiceError } from '../../core/errors.js';

/** 405 with the methods that a path has. */
export function refuseMethod(allowed: readonly string[]) {
  return (request: Request, response: Response): never => {
    response.setHeader('Allow', allowed.join(', '));
    throw new ServiceError(
      'method_not_allowed',
      `${request.method} is not possible here; use ${allowed.join(' or ')}.`,
    );
  };
}
