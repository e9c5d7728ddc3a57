import type { SpecProblem } from '../spec/problem.ts';

/**
 * A problem as GitHub Actions shows it beside the line, on the commit and the pull request:
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message
 */
export function workflowCommand(level: 'error' | 'warning', problem: SpecProblem): string {
  const { file, line, column, message, hint } = problem;
  const place = `file=${property(file)},line=${line},col=${column},title=Deployment spec`;
  return `::${level} ${place}::${data(hint === undefined ? message : `${message}\n${hint}`)}`;
}

/** As the runner decodes them: https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts */
const data = (text: string) =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (text: string) => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
