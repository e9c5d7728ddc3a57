import { linkTo } from '../../callbacks/describe.ts';
import { isoTime } from '../../lib/clock.ts';
import { codeSpan } from '../../lib/code-span.ts';
import { isFrom } from '../../model/event.ts';
import type { Difference } from '../operator/backtest.ts';
import { BACKTEST_DAYS, type Plan } from './make-plan.ts';

/** Differences that are listed; the rest is counted. */
const MOST_LISTED = 20;

/**
 * What changed specs would have made of what came before, as Markdown; nothing when no spec changes. Of other repositories than
 * the pull request's own, branches and commits are not named: who reads it may not see them (G12). The links ask who follows them. Pure.
 */
export function backtestLines(
  { pull, backtest }: Pick<Plan, 'pull' | 'backtest'>,
  publicUrl: string | undefined,
): string[] {
  if (backtest === undefined) return [];
  const heading = `### The last ${BACKTEST_DAYS} days with these specs`;
  if (backtest === 'too long') {
    return [
      `${heading}\n\nJudging what came before took too long. \`mainsheet backtest\` does it too.`,
    ];
  }
  if (backtest === 'fork') {
    return [
      `${heading}\n\nNot judged for a pull request from a fork. \`mainsheet backtest\` does it too.`,
    ];
  }
  const { deliveries, differences, total } = backtest;
  if (total === 0) return [`${heading}\n\nNo difference in ${deliveries} deliveries.`];
  const listed = differences.slice(0, MOST_LISTED).map((difference) => {
    const own = isFrom(pull, difference.repository);
    return lineOf(difference, own, publicUrl);
  });
  const rest = total - listed.length;
  return [
    [
      `${heading}\n\n${total} of the decisions on ${deliveries} deliveries would be others.`,
      '',
      ...listed,
      ...(rest === 0 ? [] : [`- … and ${rest} more`]),
    ].join('\n'),
  ];
}

function lineOf(difference: Difference, own: boolean, publicUrl: string | undefined): string {
  const { spec, would, event, ref, sha, receivedAt, certain, reasons } = difference;
  const at = own && sha !== undefined ? ` at ${codeSpan(sha.slice(0, 7))}` : '';
  const place = own && ref !== undefined ? ` of ${codeSpan(ref)}` : '';
  const why = would ? undefined : reasons.find(({ held }) => !held);
  const because =
    why === undefined ? '' : `: ${codeSpan(why.condition)}${own ? ` ${codeSpan(why.detail)}` : ''}`;
  const what = would ? '**would have deployed**' : '**would not have deployed**';
  const doubt = certain
    ? ''
    : ' (only git knows all changed files, so `paths` may decide otherwise)';
  return `- ${codeSpan(spec)} ${what} a ${codeSpan(event)}${place}${at} on ${isoTime(receivedAt).slice(0, 10)}${because}${doubt}${links(difference, publicUrl)}`;
}

function links({ delivery, run }: Difference, publicUrl: string | undefined): string {
  if (publicUrl === undefined) return ` (delivery ${codeSpan(delivery)})`;
  const page = `${publicUrl.replace(/\/+$/, '')}/deliveries/${encodeURIComponent(delivery)}`;
  const ran = run === undefined ? '' : `, [run](${linkTo(run, publicUrl)})`;
  return ` ([delivery](${page})${ran})`;
}
