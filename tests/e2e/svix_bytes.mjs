// Svix's scheme over bytes that are not UTF-8, which its own library takes as a string.
import { createHmac } from 'node:crypto';

import { WEBHOOK_SECRET } from './service.mjs';

export function hmac(id, timestamp, bytes, secret = WEBHOOK_SECRET) {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(bytes);
  return `v1,${mac.digest('base64')}`;
}
