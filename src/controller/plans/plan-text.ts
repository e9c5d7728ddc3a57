import type { PlanCheckCallback } from '../../callbacks/plan-check.ts';
import { codeSpan } from '../../lib/code-span.ts';
import { isFrom } from '../../model/event.ts';
import type { PulledEvent } from '../../store/plans.ts';
import type { Judged } from '../intake/judge.ts';
import { annotationOf, count, MOST_ANNOTATIONS, problemLines } from '../spec-problems.ts';
import { backtestLines } from './backtest-text.ts';
import type { Plan } from './make-plan.ts';
import { specLines } from './spec-text.ts';

/** What is said on a pull request: `text` in the comment and the check run, the rest on the check run alone. */
export type PlanText = Pick<PlanCheckCallback, 'title' | 'text' | 'conclusion' | 'annotations'>;

/** GitHub takes 65,535 characters, and the comment's mark comes to it. */
const MOST_TEXT = 60_000;
const MOST_LISTED = 20;
const HEADING = '### What merging would do';

/** A plan in words. What others wrote stands in code spans, so that it is neither Markdown nor a mention. Pure. */
export function planText(plan: Plan, { publicUrl }: { publicUrl: string | undefined }): PlanText {
  const { pull, base, verdicts, change } = plan;
  const deploying = verdicts.filter(({ verdict }) => verdict.matched).map(nameOf);
  const problems = change?.problems ?? [];
  const head = codeSpan(pull.head.slice(0, 7));
  const into = `${codeSpan(pull.base)} (at ${codeSpan(base.slice(0, 7))})`;
  const named = deploying.slice(0, MOST_LISTED).map((name) => codeSpan(name));
  const more = deploying.length - named.length;
  const names = [...named, ...(more === 0 ? [] : [`${more} more`])].join(', ') || 'nothing';
  const sections = [
    `${HEADING}\n\nMerging ${head} into ${into} deploys ${names}.`,
    ...(problems.length === 0 ? [] : [problemLines(problems)]),
    ...verdicts.map(verdictLines),
    ...changeLines(plan),
    ...backtestLines(plan, publicUrl),
  ];
  return {
    title: titleOf(deploying, change),
    conclusion: problems.length > 0 ? 'failure' : 'success',
    text: within(sections),
    annotations: [
      ...problems.map((problem) => annotationOf(problem, 'failure')),
      ...(change?.warnings ?? []).map((problem) => annotationOf(problem, 'warning')),
    ].slice(0, MOST_ANNOTATIONS),
  };
}

/** Where something was said before, and nothing is true of it any more. */
export function nothingText({ head }: PulledEvent): PlanText {
  const title = 'Merging deploys nothing';
  const text = `${HEADING}\n\nMerging ${codeSpan(head.slice(0, 7))} deploys nothing.`;
  return { title, text, conclusion: 'success', annotations: [] };
}

/** What could not be found out. `code`: an error's, never its message, which may say what is not for all. */
export function failedText(code: string): PlanText {
  const title = 'It is not known what merging would do';
  const text = `${HEADING}\n\n${title} (${codeSpan(code)}). Mainsheet's log says why.`;
  return { title, text, conclusion: 'neutral', annotations: [] };
}

function titleOf(deploying: readonly string[], change: Plan['change']): string {
  const problems = change?.problems.length ?? 0;
  if (problems > 0) return `${count(problems, 'problem')} in deployment specs`;
  if (deploying.length > 0) return `Merging deploys ${deploying.join(', ')}`;
  const changed = change?.changed.length ?? 0;
  return changed > 0 ? `${count(changed, 'deployment spec')} to change` : 'Merging deploys nothing';
}

const nameOf = ({ loaded }: Judged['verdicts'][number]) => loaded.spec.name;

function verdictLines({ loaded, verdict }: Judged['verdicts'][number]): string {
  const { spec } = loaded;
  const mark = (held: boolean) => (held ? '✓' : '✗');
  const reasons = verdict.reasons.map(
    ({ condition, held, detail }) => `- ${mark(held)} ${codeSpan(condition)}: ${codeSpan(detail)}`,
  );
  const title = verdict.matched
    ? `#### ✓ ${codeSpan(spec.name)} deploys to ${codeSpan(spec.environment)}`
    : `#### ✗ ${codeSpan(spec.name)} does not deploy`;
  const why = ['<details><summary>Why</summary>', '', ...reasons, '', '</details>'];
  return [title, '', ...(verdict.matched ? [...specLines(spec), ''] : []), ...why].join('\n');
}

function changeLines({ pull, change }: Plan): string[] {
  if (change === undefined || change.problems.length > 0) return [];
  const { changed } = change;
  if (changed.length === 0) return ['Files of specs change, and no spec does.'];
  return [
    `### ${count(changed.length, 'spec')} to change`,
    ...changed.map(({ name, how, now }) => {
      const title = `#### ${codeSpan(name)} is ${how}`;
      if (now === undefined) return title;
      const { repository, environment } = now.spec;
      const isOwn = isFrom(pull, repository);
      const from = isOwn ? '' : `- Deploys ${codeSpan(repository)} to ${codeSpan(environment)}\n`;
      return `${title}\n\n${from}${specLines(now.spec).join('\n')}`;
    }),
  ];
}

/** As many sections as GitHub takes. */
function within(sections: readonly string[]): string {
  let room = MOST_TEXT;
  const shown = sections.filter((section) => (room -= section.length + 2) > 0);
  const hidden = sections.length - shown.length;
  return [...shown, ...(hidden === 0 ? [] : [`… and ${count(hidden, 'section')} more`])].join(
    '\n\n',
  );
}
