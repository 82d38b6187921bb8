import { describe, expect, it } from 'vitest';
import { webhookRequestSchema } from '../../../core/schemas/webhook.js';
import { isPublicAddress } from '../../../services/network/find-address.js';
import { checkReceiver, findReceiver } from '../../../services/webhooks/find-receiver.js';
import { makeSecret, signMessage } from '../../../services/webhooks/sign-message.js';

describe('the receiver of a webhook', () => {
  it.each([
    '127.0.0.1',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    'fe80::1',
    'fc00::1',
    'fd12:3456::1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001:db8::1',
    'ff02::1',
    'no address',
  ])('is not of the public internet at %s', (address) => expect(isPublicAddress(address)).toBe(false));

  it.each(['1.1.1.1', '172.32.0.1', '8.8.8.8', '2606:4700:4700::1111', '2a00:1450:4001:80f::200e'])(
    'may be at %s',
    (address) => expect(isPublicAddress(address)).toBe(true),
  );

  it.each([
    ['https://127.0.0.1/x', 'private network'],
    ['https://2130706433/', 'private network'],
    ['https://0x7f.1/', 'private network'],
    ['https://[::1]/', 'private network'],
    ['https://[::ffff:169.254.169.254]/latest/meta-data', 'private network'],
    ['https://localhost:8080/', 'private network'],
    ['http://example.com/', 'must begin with https'],
    ['https://user:secret@example.com/', 'no user and no password'],
  ])('is refused at %s', async (url, why) => {
    await expect(checkReceiver(url, [])).rejects.toMatchObject({
      code: 'request_invalid',
      message: expect.stringContaining(why),
    });
  });

  it('is reached where a setting names its host, over http as well', async () => {
    expect(await findReceiver('http://localhost:9/x', ['localhost'])).toMatchObject({
      address: expect.stringMatching(/^(127\.|::1)/),
    });
    await expect(checkReceiver('http://127.0.0.1:9/x', ['localhost'])).rejects.toMatchObject({
      code: 'request_invalid',
    });
  });

  it('may have a name that is not known yet', async () => {
    await expect(checkReceiver('https://not-known.invalid/', [])).resolves.toBeUndefined();
  });
});

describe('the signature', () => {
  it('is that of the Standard Webhooks scheme, by its published example', () => {
    const headers = signMessage(
      { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}' },
      { secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', nowMs: 1_614_265_330_000 },
    );
    expect(headers).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('takes secrets of 24 to 64 bytes and no others', () => {
    const accepts = (secret: string) => webhookRequestSchema.safeParse({ url: 'https://a.example/', secret }).success;
    const secretOf = (bytes: number) => `whsec_${Buffer.alloc(bytes, 1).toString('base64')}`;
    expect([24, 25, 26, 32, 63, 64].map((bytes) => accepts(secretOf(bytes)))).toEqual(Array(6).fill(true));
    expect([1, 22, 23, 65, 66, 90].map((bytes) => accepts(secretOf(bytes)))).toEqual(Array(6).fill(false));
    expect([makeSecret(), 'secret', 'whsec_', 'whsec_%%%%'].map(accepts)).toEqual([true, false, false, false]);
  });
});
