import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { freePort } from '../../infra/local/free-port.js';

/** The only pair of keys that s3rver knows; it checks each signature. */
export const S3_KEYS = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };

/** An S3 server process on a free port, with one bucket. */
export async function startS3Server(bucket: string) {
  const folder = mkdtempSync(join(tmpdir(), 'mlops-s3-'));
  const port = await freePort();
  const main = join(dirname(createRequire(import.meta.url).resolve('s3rver/package.json')), 'bin', 's3rver.js');
  const server = spawn(process.execPath, [main, '-d', folder, '-a', '127.0.0.1', '-p', String(port), '--silent'], {
    stdio: 'ignore',
  });
  const endpoint = `http://127.0.0.1:${port}`;
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: S3_KEYS,
    maxAttempts: 20,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return {
    endpoint,
    put: (key: string, body: string | Uint8Array) =>
      client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body })),
    async get(key: string): Promise<Buffer> {
      const { Body: body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      return Buffer.from(await body!.transformToByteArray());
    },
    /** The keys of all objects. */
    async list(): Promise<string[]> {
      const { Contents: objects = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
      return objects.map(({ Key: key }) => key!);
    },
    remove: (key: string) => client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key })),
    /** Makes an object look as if it was last written days ago. */
    age(key: string, days: number) {
      const writtenAt = new Date(Date.now() - days * 86_400_000);
      utimesSync(join(folder, bucket, `${key}._S3rver_object`), writtenAt, writtenAt);
    },
    stop() {
      client.destroy();
      server.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
