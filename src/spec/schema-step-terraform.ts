import { posix } from 'node:path';
import * as z from 'zod';
import type { TerraformStepSpec } from '../model/deployment-spec.ts';
import { approve, toApprove } from './schema-gates.ts';

const when = z.enum(['changes', 'always', 'never']);
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_-]{0,199}$/;

export const terraform = z.strictObject({
  path: z
    .string()
    .min(1, 'is empty')
    .max(1024, 'more than 1024 characters')
    .refine((path) => !path.includes('\0') && isBelow(path), 'is not below the checkout')
    .describe('The folder of the configuration, in the checkout. Default: the checkout itself.')
    .optional(),
  approve: z
    .union([
      when,
      approve.extend({
        when: when
          .describe(
            'When people have to approve a plan: changes, always or never. Default: changes.',
          )
          .optional(),
      }),
    ])
    .describe('When people have to approve a plan, and who. Default: changes.')
    .optional(),
  program: z
    .enum(['terraform', 'tofu'])
    .describe('Which program on the PATH. Default: terraform.')
    .optional(),
  workspace: z
    .string()
    .min(1, 'is empty')
    .max(200, 'more than 200 characters')
    .describe('The workspace, which is made when it is not there. May hold ${{ … }}.')
    .optional(),
  vars: z
    .record(
      z.string().regex(VARIABLE, 'a variable\'s name has letters, digits, "_" and "-"'),
      z.json(),
    )
    .describe('Values of variables. Strings may hold ${{ … }}.')
    .optional(),
});

export function toTerraform(
  input: z.output<typeof terraform>,
): Pick<
  TerraformStepSpec,
  'kind' | 'path' | 'program' | 'approve' | 'gate' | 'workspace' | 'vars'
> {
  const { approve: asked = 'changes' } = input;
  const people = typeof asked === 'string' ? { when: asked } : asked;
  return {
    kind: 'terraform',
    path: input.path ?? '.',
    program: input.program ?? 'terraform',
    approve: people.when ?? 'changes',
    gate: toApprove(people),
    workspace: input.workspace,
    vars: input.vars ?? {},
  };
}

function isBelow(path: string): boolean {
  const normal = posix.normalize(path);
  return !posix.isAbsolute(normal) && normal !== '..' && !normal.startsWith('../');
}
