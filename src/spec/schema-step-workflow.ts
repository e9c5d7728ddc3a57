import * as z from 'zod';
import type { WorkflowStepSpec } from '../model/deployment-spec.ts';
import type { Json } from '../model/event.ts';
import { clientPayload, eventType } from './schema-dispatch.ts';
import { problem, repositoryName } from './schema-fields.ts';

/** Inputs that GitHub takes: https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event */
const MOST_INPUTS = 25;
const INPUT_NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,99}$/;
/** Of the ten keys of a payload one is Mainsheet's. */
const PAYLOAD_KEYS = 9;

const inputName = z
  .string()
  .regex(INPUT_NAME, 'an input\'s name has letters, digits, "_" and "-", and begins with no digit');

export const workflow = z
  .strictObject({
    repository: repositoryName.describe('The repository that has the workflow: owner/name.'),
    workflow: z
      .union([
        z.string().regex(/^[\w.-]{1,200}\.ya?ml$/, "is no name of a workflow's file: deploy.yml"),
        z.int().min(1, 'at least 1').transform(String),
      ])
      .describe("The workflow's file in .github/workflows, or its number.")
      .optional(),
    ref: z
      .string()
      .min(1, 'is empty')
      .max(1024, 'more than 1024 characters')
      .describe('The branch or tag whose workflow is started. May hold ${{ … }}. Default: main.')
      .optional(),
    inputs: z
      .record(inputName, z.union([z.string(), z.number(), z.boolean()]).transform(String))
      .refine(
        (inputs) => Object.keys(inputs).length <= MOST_INPUTS,
        `more than ${MOST_INPUTS} inputs`,
      )
      .describe('Inputs of the workflow. Values may hold ${{ … }}.')
      .optional(),
    'id-input': inputName
      .describe('The input that gets an id; the workflow has it in its run-name.')
      .optional(),
    'event-type': eventType
      .describe('Starts what listens to this repository_dispatch instead. May hold ${{ … }}.')
      .optional(),
    'client-payload': clientPayload(PAYLOAD_KEYS)
      .describe('The client_payload: at most nine keys. Strings in it may hold ${{ … }}.')
      .optional(),
  })
  .superRefine((input, context) => {
    const byEvent = input['event-type'] !== undefined;
    if (byEvent === (input.workflow !== undefined)) {
      return problem(context, 'a workflow step has either "workflow" or "event-type"');
    }
    const others = byEvent
      ? (['ref', 'inputs', 'id-input'] as const)
      : (['client-payload'] as const);
    for (const key of others) {
      if (input[key] === undefined) continue;
      problem(context, `"${key}" belongs to "${byEvent ? 'workflow' : 'event-type'}"`);
    }
  });

export function toWorkflow(
  input: z.output<typeof workflow>,
): Pick<WorkflowStepSpec, 'kind' | 'repository' | 'start'> {
  const { repository, 'event-type': byEvent } = input;
  if (byEvent !== undefined) {
    const payload = (input['client-payload'] ?? {}) as Record<string, Json>;
    return { kind: 'workflow', repository, start: { by: 'event', eventType: byEvent, payload } };
  }
  return {
    kind: 'workflow',
    repository,
    start: {
      by: 'workflow',
      workflow: input.workflow ?? '',
      ref: input.ref ?? 'main',
      inputs: input.inputs ?? {},
      idInput: input['id-input'],
    },
  };
}
