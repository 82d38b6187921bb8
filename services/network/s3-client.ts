import { S3Client } from '@aws-sdk/client-s3';

/** How the S3-compatible store of an installation is reached. */
export interface S3Settings {
  /** Undefined = Amazon S3. */
  endpoint?: string;
  region: string;
  accessKeyId?: string;
  secretAccessKey?: string;
}

/** A client of the store, with the pair of keys of the settings; each request is tried so many times. */
export function createS3Client(s3: S3Settings, maxAttempts: number): S3Client {
  return new S3Client({
    region: s3.region,
    ...(s3.endpoint ? { endpoint: s3.endpoint, forcePathStyle: true } : {}),
    credentials: { accessKeyId: s3.accessKeyId!, secretAccessKey: s3.secretAccessKey! },
    maxAttempts,
    // Stores that are compatible do not all know the newer checksums.
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestChecksumCalculation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: 3000 },
  });
}
