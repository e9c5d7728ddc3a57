import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRequestValidator } from '../../demo/openapi.ts';

const SHA = '6dcb09b5b57875f334f61aebed695e2e4193db5e';

describe('request validator', () => {
  const validator = createRequestValidator();

  it('finds nothing wrong with requests as GitHub describes them', () => {
    const deployment = {
      ref: SHA,
      auto_merge: false,
      required_contexts: [],
      environment: 'production',
      payload: { run: 'one', nested: { any: 'thing' } },
    };
    const dispatch = { event_type: 'component-updated', client_payload: { free: { form: 1 } } };
    assert.deepEqual(
      [
        ...validator.check('POST', `/repos/acme/shop/statuses/${SHA}`, {
          state: 'success',
          target_url: null,
        }),
        ...validator.check('POST', '/repos/acme/shop/deployments', deployment),
        ...validator.check('POST', '/repos/acme/shop/deployments/7/statuses', {
          state: 'in_progress',
        }),
        ...validator.check('POST', '/repos/acme/hub/dispatches', dispatch),
        ...validator.check('GET', '/repos/acme/shop/deployments?per_page=100&page=2', undefined),
        ...validator.check('GET', `/repos/acme/shop/commits/release%2F1/statuses`, undefined),
        ...validator.check('GET', '/repos/acme/shop/contents/a/b/c.txt?ref=main', undefined),
        ...validator.check('POST', '/app/installations/7/access_tokens', undefined),
        ...validator.check('POST', '/repos/acme/shop/check-runs', {
          name: 'deploy',
          head_sha: SHA,
          status: 'completed',
          conclusion: 'success',
          output: { title: 'Deployed', summary: 'All well' },
        }),
      ],
      [],
    );
  });

  it('names the property, the value and the choices that are wrong', () => {
    assert.deepEqual(
      validator.check('POST', `/repos/acme/shop/statuses/${SHA}`, { state: 'succeeded' }),
      [
        `POST /repos/acme/shop/statuses/${SHA}: body/state must be equal to one of the allowed values (error, failure, pending, success)`,
      ],
    );
    assert.deepEqual(validator.check('POST', '/repos/acme/shop/deployments', undefined), [
      'POST /repos/acme/shop/deployments: the body is missing',
    ]);
  });

  it('reports a body property that GitHub would silently ignore', () => {
    assert.deepEqual(
      validator.check('POST', '/repos/acme/shop/deployments', { ref: SHA, automerge: false }),
      ['POST /repos/acme/shop/deployments: body has the unknown property "automerge"'],
    );
    const nested = { name: 'x', head_sha: SHA, output: { title: 'a', summary: 'b', body: 'c' } };
    assert.match(
      validator.check('POST', '/repos/acme/shop/check-runs', nested).join('\n'),
      /body\/output has the unknown property "body"/,
    );
  });

  it('reports unknown paths and values that do not fit in path and query', () => {
    assert.deepEqual(validator.check('POST', '/repos/acme/shop/deploy', {}), [
      'POST /repos/acme/shop/deploy: GitHub has no such operation',
    ]);
    assert.match(
      validator.check('GET', '/repos/acme/shop/deployments/seven', undefined).join(),
      /path\/deployment_id must be integer/,
    );
    assert.match(
      validator.check('GET', '/repos/acme/shop/deployments?commit=1', undefined).join(),
      /query has the unknown property "commit"/,
    );
  });

  it('refuses more payload properties than GitHub takes', () => {
    const payload = Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`key${n}`, n]));
    const body = { event_type: 'x', client_payload: payload };
    assert.match(
      validator.check('POST', '/repos/acme/hub/dispatches', body).join(),
      /client_payload must NOT have more than 10/,
    );
  });
});
