import { posix } from 'node:path';
import * as z from 'zod';
import type { StepSpec } from '../../model/deployment-spec.ts';
import { filled, optional } from '../schema-fields.ts';
import { approve, toApprove } from '../schema-gates.ts';
import type { StepForm, StepOf } from './contract.ts';

const when = z.enum(['changes', 'always', 'never']);
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_-]{0,199}$/;

const schema = z
  .strictObject({
    path: optional(
      'The folder of the configuration, in the checkout. Default: the checkout itself.',
      filled(1024).refine(
        (path) => !path.includes('\0') && isBelow(path),
        'is not below the checkout',
      ),
    ),
    approve: optional(
      'When people have to approve a plan, and who. Default: changes.',
      z.union([
        when,
        approve.extend({
          when: optional(
            'When people have to approve a plan: changes, always or never. Default: changes.',
            when,
          ),
        }),
      ]),
    ),
    program: optional(
      'Which program on the PATH. Default: terraform.',
      z.enum(['terraform', 'tofu']),
    ),
    workspace: optional(
      'The workspace, which is made when it is not there. May hold ${{ … }}.',
      filled(200),
    ),
    vars: optional(
      'Values of variables. Strings may hold ${{ … }}.',
      z.record(
        z.string().regex(VARIABLE, 'a variable\'s name has letters, digits, "_" and "-"'),
        z.json(),
      ),
    ),
  })
  .transform(({ approve: asked = 'changes', ...input }) => {
    const people = typeof asked === 'string' ? { when: asked } : asked;
    return {
      kind: 'terraform' as const,
      path: input.path ?? '.',
      program: input.program ?? 'terraform',
      approval: {
        when: people.when ?? 'changes',
        gate: toApprove(people),
      } satisfies StepSpec['approval'],
      workspace: input.workspace,
      vars: input.vars ?? {},
    };
  });

/** Plans changes of infrastructure, and applies the very plan that people have seen. */
export const terraform = {
  schema: schema.describe(
    'A plan of Terraform or OpenTofu that is applied when people have approved it.',
  ),
  texts: { workspace: 'template', 'vars.**': 'template' },
  isLimited: true,
} as const satisfies StepForm;

export type TerraformStepSpec = StepOf<typeof terraform>;

function isBelow(path: string): boolean {
  const normal = posix.normalize(path);
  return !posix.isAbsolute(normal) && normal !== '..' && !normal.startsWith('../');
}
