/** Of GitHub: https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers */
export const GITHUB_HEADERS: readonly string[] = [
  'User-Agent',
  'Content-Type',
  'X-GitHub-Event',
  'X-GitHub-Delivery',
  'X-GitHub-Hook-ID',
  'X-GitHub-Hook-Installation-Target-Type',
  'X-GitHub-Hook-Installation-Target-ID',
  'X-GitHub-Enterprise-Host',
  'X-GitHub-Enterprise-Version',
];

/** Of all senders: what they call a request and its event, and when they sent it. No signature, no token, no address. */
export const HOOK_HEADERS: readonly string[] = [
  ...GITHUB_HEADERS,
  'X-Gitlab-Event',
  'X-Gitlab-Event-UUID',
  'X-Gitlab-Webhook-UUID',
  'Idempotency-Key',
  'X-Gitea-Event',
  'X-Gitea-Event-Type',
  'X-Gitea-Delivery',
  'X-Forgejo-Event',
  'X-Forgejo-Event-Type',
  'X-Forgejo-Delivery',
  'X-Event-Key',
  'X-Request-UUID',
  'X-Hook-UUID',
  'X-Attempt-Number',
  'X-Shopify-Topic',
  'X-Shopify-Webhook-Id',
  'X-Shopify-Event-Id',
  'X-Shopify-Triggered-At',
  'X-Slack-Request-Timestamp',
  'X-Slack-Retry-Num',
  'X-Slack-Retry-Reason',
  'webhook-id',
  'webhook-timestamp',
  'X-Request-ID',
  'ce-id',
  'ce-source',
  'ce-type',
  'ce-time',
];

/** Characters of one value. */
const LONGEST_VALUE = 200;
/** Bytes of all. */
const MOST_BYTES = 2048;

/**
 * What is kept of a request's headers: a JSON object of those of `names` that it has, in their order and cut; what would make it
 * larger than 2 KB is left out. Undefined when there are none. `header`: the value, empty when it is missing.
 */
export function keptHeaders(
  names: readonly string[],
  header: (name: string) => string,
): string | undefined {
  let text = '';
  // The braces.
  let bytes = 2;
  for (const name of names) {
    const value = header(name);
    if (value === '') continue;
    const entry = `${text === '' ? '' : ','}"${name}":${JSON.stringify(value.slice(0, LONGEST_VALUE))}`;
    bytes += Buffer.byteLength(entry);
    if (bytes > MOST_BYTES) break;
    text += entry;
  }
  return text === '' ? undefined : `{${text}}`;
}
