import { parseSpecs } from '../../src/spec/load.ts';
import type { Store } from '../../src/store/index.ts';
import type { GateView } from '../../src/controller/operator/gates.ts';
import type { LoadedSpec } from '../../src/model/deployment-spec.ts';
import { judgeGates } from '../../src/model/gate.ts';
import type { Run } from '../../src/model/run.ts';
import { approvalOf } from '../../src/model/step-gate.ts';
import { sampleRun } from '../store/samples.ts';

const MINUTE = 60_000;
export const PLAN_RUN = '01kplanofclusters';
const DETAIL = 'Clusters: 2 to add, 1 to change, 1 to destroy';

const [ADD, CHANGE, DESTROY, BOLD, DIM] = [32, 33, 31, 1, 90].map((code) => `\u001B[${code}m`);
const OFF = '\u001B[0m';
const add = `${ADD}+${OFF}${OFF}`;
const change = `${CHANGE}~${OFF}${OFF}`;
const destroy = `${DESTROY}-${OFF}${OFF}`;
const becomes = `${CHANGE}->${OFF}${OFF}`;

/** As Terraform 1.11 prints it. */
const PLAN = `
Terraform used the selected providers to generate the following execution
plan. Resource actions are indicated with the following symbols:
  ${add} create
  ${change} update in-place
${destroy}/${add} destroy and then create replacement

Terraform will perform the following actions:

${BOLD}  # aws_eks_node_group.shop${OFF} will be updated in-place
${OFF}  ${change} resource "aws_eks_node_group" "shop" {
        id             = "shop:workers"
      ${change} scaling_config = {
          ${change} desired_size = 3 ${becomes} 5
            ${DIM}# (2 unchanged attributes hidden)${OFF}
        }
        ${DIM}# (14 unchanged attributes hidden)${OFF}
    }

${BOLD}  # aws_db_instance.orders${OFF} must be ${BOLD}${DESTROY}replaced${OFF}
${OFF}${destroy}/${add} resource "aws_db_instance" "orders" {
      ${change} id                = "db-7KQ2M" -> (known after apply)
      ${change} storage_encrypted = false ${becomes} true ${DESTROY}# forces replacement${OFF}
        ${DIM}# (48 unchanged attributes hidden)${OFF}
    }

${BOLD}  # aws_sqs_queue.mails${OFF} will be created
${OFF}  ${add} resource "aws_sqs_queue" "mails" {
      ${add} arn                       = (known after apply)
      ${add} message_retention_seconds = 345600
      ${add} name                      = "mails"
    }

${BOLD}Plan:${OFF} 2 to add, 1 to change, 1 to destroy.
`;

const SPEC = `name: clusters
repository: acme/clusters
environment: clusters
on:
  push: { branches: [main] }
steps:
  - name: Check
    run: make check
  - name: Clusters
    terraform: { path: clusters, approve: { when: changes, from: [ines-r, samirb] } }
`;

/** What that run waits for. */
export async function planGates(run: Run): Promise<GateView[]> {
  const gate = run.id === PLAN_RUN ? approvalOf(parsed()[0]?.spec.steps[1]) : undefined;
  if (gate === undefined) return [];
  const { gates } = judgeGates([gate], { answers: [], since: run.createdAt, now: run.createdAt });
  return gates.map((state) => ({ ...state, detail: `${state.detail}: ${DETAIL}`, answers: [] }));
}

const parsed = () => parseSpecs('clusters.yaml', SPEC).specs;

/** A run whose step has planned, and waits for people. */
export async function fillPlan(store: Store, now: number): Promise<LoadedSpec[]> {
  const specs = parsed();
  for (const { spec, digest, file, text } of specs) {
    await store.snapshots.keep({ digest, name: spec.name, file, text }, now);
  }
  const at = now - 18 * MINUTE;
  await store.runs.insert(
    sampleRun(PLAN_RUN, {
      spec: 'clusters',
      specDigest: specs[0]?.digest ?? '',
      repository: 'acme/clusters',
      environment: 'clusters',
      lane: 'clusters-clusters',
      sha: '9c41f0b7d2a85e3360f1c7ab44e90d12ce57a86b',
      state: 'blocked',
      reason: `1 approval is missing: ${DETAIL}`,
      attempts: 1,
      createdAt: at,
      startedAt: at + 2000,
    }),
    ['Check', 'Clusters'],
  );
  const steps = await store.steps.ofRun(PLAN_RUN);
  for (const step of steps) {
    const isOver = step.index === 0;
    await store.steps.update(PLAN_RUN, {
      ...step,
      attempts: 1,
      ...(isOver
        ? { state: 'succeeded', startedAt: at + 2000, finishedAt: at + 9000, exitCode: 0 }
        : { state: 'pending', kept: '{}' }),
    });
  }
  await store.gates.holdStep(PLAN_RUN, {
    step: 1,
    id: 'plan-1',
    since: at + 40_000,
    detail: DETAIL,
  });
  await store.logs.append(PLAN_RUN, [
    { seq: 0, at: at + 9000, step: 1, stream: 'mainsheet', text: 'Step 2: Clusters\n' },
    { seq: 1, at: at + 39_000, step: 1, stream: 'stdout', text: PLAN },
    {
      seq: 2,
      at: at + 40_000,
      step: 1,
      stream: 'mainsheet',
      text: `Waiting for approval: ${DETAIL}\n`,
    },
  ]);
  return specs;
}
