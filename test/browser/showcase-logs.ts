import type { Step } from '../../src/model/run.ts';
import type { LogChunk } from '../../src/store/logs.ts';

const GREEN = '\u001B[32m';
const RED = '\u001B[31m';
const DIM = '\u001B[2m';
const BOLD = '\u001B[1m';
const CYAN = '\u001B[36m';
const OFF = '\u001B[0m';

const TEXTS: Record<string, string[]> = {
  Install: [
    '::group::npm ci',
    ...Array.from(
      { length: 24 },
      (_, index) =>
        `${DIM}npm http fetch GET 200 registry/package-${index + 1} ${20 + index * 3}ms${OFF}`,
    ),
    '::endgroup::',
    `added ${BOLD}412${OFF} packages in 14s`,
  ],
  Build: [
    `${CYAN}vite v8.1.0${OFF} ${GREEN}building for production...${OFF}`,
    'transforming...',
    `${GREEN}✓${OFF} 1284 modules transformed.`,
    '::group::Assets',
    `dist/index.html                   ${DIM}0.62 kB │ gzip:  0.37 kB${OFF}`,
    `dist/assets/${CYAN}index-Bx7r2k1c.css${OFF}    ${DIM}48.11 kB │ gzip:  9.02 kB${OFF}`,
    `dist/assets/${CYAN}index-D8s0qkXn.js${OFF}    ${DIM}214.70 kB │ gzip: 68.31 kB${OFF}`,
    '::endgroup::',
    `${GREEN}✓ built in 21.42s${OFF}`,
  ],
  Test: [
    ...['cart', 'checkout', 'delivery', 'orders', 'search', 'tax'].map(
      (name) => `${GREEN}✓${OFF} test/${name}.test.ts ${DIM}(${name.length * 3} tests)${OFF}`,
    ),
    '',
    `  Tests  ${GREEN}102 passed${OFF} ${DIM}(102)${OFF}`,
  ],
  Deploy: [
    'Uploading 38 files to the bucket',
    `${GREEN}Deployed${OFF} in 6.1s`,
    'https://storefront.acme.example',
  ],
};

const FAILED = [
  `${GREEN}✓${OFF} test/cart.test.ts ${DIM}(12 tests)${OFF}`,
  `${RED}✗ test/checkout.test.ts ${DIM}(24 tests | 1 failed)${OFF}`,
  '',
  `${RED}${BOLD}FAIL${OFF} test/checkout.test.ts > VAT > rounds bundles per line`,
  `${RED}AssertionError: expected 1189 to be 1190${OFF}`,
  `${GREEN}  - 1190${OFF}`,
  `${RED}  + 1189${OFF}`,
  `${DIM}  at test/checkout.test.ts:118:31${OFF}`,
  '',
  `  Tests  ${RED}1 failed${OFF} | ${GREEN}101 passed${OFF} ${DIM}(102)${OFF}`,
];

/** The log of a run whose steps went well. */
export function buildLog(sha: string, steps: readonly Step[], startedAt: number): LogChunk[] {
  return chunks(sha, steps, startedAt, (step) =>
    (TEXTS[step.name] ?? []).slice(0, step.state === 'running' ? -1 : undefined),
  );
}

/** The log of a run whose tests failed. */
export function failingLog(sha: string, steps: readonly Step[], startedAt: number): LogChunk[] {
  return chunks(sha, steps, startedAt, (step) =>
    step.state === 'failed' ? FAILED : (TEXTS[step.name] ?? []),
  );
}

function chunks(
  sha: string,
  steps: readonly Step[],
  startedAt: number,
  textOf: (step: Step) => string[],
): LogChunk[] {
  const checkout = `Fetching acme\nChecked out ${sha}\n`;
  const list = [{ at: startedAt, step: -1, stream: 'mainsheet' as const, text: checkout }];
  for (const step of steps) {
    const lines = textOf(step);
    const from = step.startedAt ?? startedAt;
    const duration = (step.finishedAt ?? from + 20_000) - from;
    lines.forEach((line, index) =>
      list.push({
        at: Math.round(from + (duration * index) / lines.length),
        step: step.index,
        stream: 'stdout' as never,
        text: `${line}\n`,
      }),
    );
  }
  return list.map((chunk, seq) => ({ ...chunk, seq }));
}
