import * as z from 'zod';
import type { Json } from '../../model/event.ts';
import { clientPayload, eventType } from '../schema-dispatch.ts';
import { filled, optional, problem, repositoryName, scalar } from '../schema-fields.ts';
import type { StepForm, StepOf } from './contract.ts';

/** Inputs that GitHub takes: https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event */
const MOST_INPUTS = 25;
const INPUT_NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,99}$/;
/** Of the ten keys of a payload one is Mainsheet's. */
const PAYLOAD_KEYS = 9;

const inputName = z
  .string()
  .regex(INPUT_NAME, 'an input\'s name has letters, digits, "_" and "-", and begins with no digit');

const schema = z
  .strictObject({
    repository: repositoryName.describe('The repository that has the workflow: owner/name.'),
    workflow: optional(
      "The workflow's file in .github/workflows, or its number.",
      z.union([
        z.string().regex(/^[\w.-]{1,200}\.ya?ml$/, "is no name of a workflow's file: deploy.yml"),
        z.int().min(1, 'at least 1').transform(String),
      ]),
    ),
    ref: optional(
      'The branch or tag whose workflow is started. May hold ${{ … }}. Default: main.',
      filled(1024),
    ),
    inputs: optional(
      'Inputs of the workflow. Values may hold ${{ … }}.',
      z
        .record(inputName, scalar)
        .refine(
          (inputs) => Object.keys(inputs).length <= MOST_INPUTS,
          `more than ${MOST_INPUTS} inputs`,
        ),
    ),
    'id-input': optional(
      'The input that gets an id; the workflow has it in its run-name.',
      inputName,
    ),
    'event-type': optional(
      'Starts what listens to this repository_dispatch instead. May hold ${{ … }}.',
      eventType,
    ),
    'client-payload': optional(
      'The client_payload: at most nine keys. Strings in it may hold ${{ … }}.',
      clientPayload(PAYLOAD_KEYS),
    ),
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
  })
  .transform((input) => {
    const { repository, 'event-type': eventType } = input;
    const kind = 'workflow' as const;
    const payload = (input['client-payload'] ?? {}) as Record<string, Json>;
    if (eventType !== undefined) {
      return { kind, repository, start: { by: 'event' as const, eventType, payload } };
    }
    const { workflow: file = '', ref = 'main', inputs = {}, 'id-input': idInput } = input;
    const start = { by: 'workflow' as const, workflow: file, ref, inputs, idInput };
    return { kind, repository, start };
  });

/** A workflow of GitHub Actions. */
export const workflow = {
  schema: schema.describe('A workflow of GitHub Actions that is waited for.'),
  texts: {
    ref: 'template',
    'inputs.*': 'template',
    'event-type': 'template',
    'client-payload.**': 'template',
  },
} as const satisfies StepForm;

export type WorkflowStepSpec = StepOf<typeof workflow>;
