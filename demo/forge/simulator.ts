import {
  createFoundationSimulationServer,
  type Document,
  type SimulationHandlers,
} from '@simulacrum/foundation-simulator';
import { portOf } from '../listen.ts';
import { apiDocument, resolveParameter, type OperationDescription } from '../openapi-document.ts';
import { isJsonObject, type JsonObject } from '../json.ts';

export interface Simulator {
  url: string;
  close: () => Promise<void>;
}

/** What GitHub's description cannot be asked over its own API, below `/forge/…`: reads for the tests and the demo. */
export type ReadBacks = Record<string, (repository: string) => JsonObject[]>;

/**
 * Simulacrum's GitHub for the operations that `handlers` keep the state of. It reads only those from GitHub's
 * description: with all of them it would compare every request with a thousand patterns, 50 ms each.
 */
export async function startSimulator(
  handlers: SimulationHandlers,
  readBacks: ReadBacks,
): Promise<Simulator> {
  const { openapi, info } = apiDocument();
  const paths = describeOperations(
    (description) => description.operationId in handlers,
    () => ({}),
  );
  return start({ document: { openapi, info, paths }, validate: false, handlers, readBacks });
}

/** Simulacrum's GitHub for all other operations: answers each with the example in GitHub's description. */
export async function startExamples(): Promise<Simulator> {
  const { openapi, info, components } = apiDocument();
  const paths = describeOperations(
    () => true,
    (description) => description.responses ?? {},
  );
  const document = structuredClone({ openapi, info, paths, components });
  mendNullable(document);
  return start({ document, validate: true, handlers: {}, readBacks: {} });
}

async function start(options: {
  document: object;
  /** Simulacrum cannot give an example without its validation. */
  validate: boolean;
  handlers: SimulationHandlers;
  readBacks: ReadBacks;
}): Promise<Simulator> {
  const listening = await createFoundationSimulationServer({
    simulationContextPage: '/simulation',
    openapi: [
      {
        // GitHub's description is an OpenAPI document; our type of it names only what we read.
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion
        document: options.document as Document,
        handlers: () => options.handlers,
        apiRoot: '/',
        additionalOptions: { quick: true, validate: options.validate },
      },
    ],
    extendRouter(router) {
      for (const [name, read] of Object.entries(options.readBacks)) {
        router.get(`/forge/${name}/:owner/:repo`, (request, response) => {
          response.json(read(`${request.params.owner}/${request.params.repo}`));
        });
      }
    },
  })().listen({ port: 0, host: '127.0.0.1' });
  return {
    url: `http://127.0.0.1:${portOf(listening.server)}`,
    close: () => listening.ensureClose(),
  };
}

/** The operations of GitHub's description without what only validates requests: that is done before they come here. */
function describeOperations(
  accept: (description: OperationDescription) => boolean,
  responses: (description: OperationDescription) => OperationDescription['responses'],
): Record<string, Record<string, OperationDescription>> {
  return Object.fromEntries(
    Object.entries(apiDocument().paths)
      .map(([path, methods]): [string, Record<string, OperationDescription>] => [
        path,
        Object.fromEntries(
          Object.entries(methods)
            .filter(([, description]) => accept(description))
            .map(([method, description]) => [method, describeOperation(description, responses)]),
        ),
      ])
      .filter(([, methods]) => Object.keys(methods).length > 0),
  );
}

function describeOperation(
  description: OperationDescription,
  responses: (description: OperationDescription) => OperationDescription['responses'],
): OperationDescription {
  const parameters = (description.parameters ?? [])
    .map(resolveParameter)
    .map(({ name, in: place, required = false }) => ({ name, in: place, required, schema: {} }));
  return {
    operationId: description.operationId,
    parameters,
    responses: responses(description) ?? {},
  };
}

/**
 * The simulator compiles the schema of every answer it gives, and ajv refuses `nullable` without a `type` beside it,
 * which GitHub's description has in some fifty places: it would print a stack and answer all the same.
 */
function mendNullable(value: unknown): void {
  if (Array.isArray(value)) {
    for (const item of value) mendNullable(item);
  } else if (isJsonObject(value)) {
    if (value['nullable'] === true && value['type'] === undefined) delete value['nullable'];
    for (const key of Object.keys(value)) mendNullable(value[key]);
  }
}
