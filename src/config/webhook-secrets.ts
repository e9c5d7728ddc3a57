/** One with fewer characters could be guessed. GitHub advises "a random string of text with high entropy"; `openssl rand -hex 32` has 64. */
export const SHORTEST_SAFE_SECRET = 16;

/** Several secrets stand one a line. A line is one secret, without the spaces around it. */
export function splitWebhookSecrets(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** What is likely to be a mistake; none of it shows a secret. */
export function webhookSecretWarnings(secrets: readonly string[]): string[] {
  const warnings: string[] = [];
  if (secrets.some((secret) => secret.length < SHORTEST_SAFE_SECRET)) {
    warnings.push(
      `GITHUB_WEBHOOK_SECRET can be guessed: take ${SHORTEST_SAFE_SECRET} or more random characters`,
    );
  }
  if (secrets.length === 1 && secrets[0]?.includes(',') === true) {
    warnings.push(
      'GITHUB_WEBHOOK_SECRET has a comma, which is part of the one secret: several secrets stand one a line',
    );
  }
  return warnings;
}
