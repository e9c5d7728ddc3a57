import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { TOKEN } from '../github/support.ts';

/** Another system, by its documented routes: what it was asked to start, and how that goes. */
export interface Stand {
  /** Names under which work was started. */
  starts: string[];
  cancelled: string[];
  /** Looks until the work is over. */
  looks: number;
  /** Whether it is not over as long as this holds. */
  isHeld?: boolean;
  end: 'good' | 'bad';
  /** What the work puts out; undefined for a system that shows none. */
  output?: string;
  answer(request: IncomingMessage, body: string, response: ServerResponse): void;
}

const LINES = ['PLAY [all]', 'TASK [the-secret]', 'PLAY RECAP', ''].join('\n');

/** Half of it until the work is over: cut in its line, or with the whole line. */
function soFar({ output = '', looks }: Stand, inLine: boolean): string {
  const half = Math.floor(output.length / 2);
  const end = inLine ? half : output.indexOf('\n', half) + 1;
  return looks > 0 && output.includes('\n') ? output.slice(0, end) : output;
}

function lookAt(stand: Stand): void {
  if (stand.isHeld !== true || stand.looks > 1) stand.looks -= 1;
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** https://docs.ansible.com/automation-controller/latest/html/controllerapi/api_ref.html */
export function awxStand(): Stand {
  const stand: Stand = {
    starts: [],
    cancelled: [],
    looks: 2,
    end: 'good',
    output: LINES,
    answer(request, body, response) {
      assert.equal(request.headers.authorization, 'Bearer the-secret');
      const url = new URL(request.url ?? '', 'http://awx');
      if (url.pathname === '/api/v2/job_templates/42/launch/') {
        const { extra_vars: extra } = JSON.parse(body) as { extra_vars: Record<string, string> };
        assert.equal(extra['sha'], 'abc');
        stand.starts.push(extra['mainsheet_id'] ?? '');
        json(response, 201, { job: 7, status: 'pending' });
      } else if (url.pathname === '/api/v2/jobs/') {
        const id = url.searchParams.get('extra_vars__contains') ?? '';
        json(response, 200, { results: stand.starts.includes(id) ? [{ id: 7 }] : [] });
      } else if (url.pathname === '/api/v2/jobs/7/stdout/') {
        const from = Number(url.searchParams.get('start_line'));
        const lines = soFar(stand, false).match(/.*\n|.+$/g) ?? [];
        const content = lines.slice(from).join('');
        const end = lines.length;
        json(response, 200, { range: { start: from, end, absolute_end: end }, content });
      } else if (url.pathname === '/api/v2/jobs/7/cancel/') {
        stand.cancelled.push('7');
        json(response, 202, {});
      } else {
        lookAt(stand);
        const over = stand.end === 'good' ? 'successful' : 'failed';
        json(response, 200, { id: 7, status: stand.looks > 0 ? 'running' : over });
      }
    },
  };
  return stand;
}

/** https://www.jenkins.io/doc/book/using/remote-access-api */
export function jenkinsStand(): Stand {
  const actionsOf = (id: string) => [{}, { parameters: [{ name: 'MAINSHEET_ID', value: id }] }];
  const stand: Stand = {
    starts: [],
    cancelled: [],
    looks: 3,
    end: 'good',
    output: LINES,
    answer(request, body, response) {
      const basic = Buffer.from('bot:the-secret').toString('base64');
      assert.equal(request.headers.authorization, `Basic ${basic}`);
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://jenkins');
      const isQueued = stand.looks > 2;
      if (pathname === '/job/deploy/job/shop/buildWithParameters') {
        const parameters = new URLSearchParams(body);
        assert.equal(parameters.get('SHA'), 'abc');
        stand.starts.push(parameters.get('MAINSHEET_ID') ?? '');
        response.writeHead(201, { Location: 'http://jenkins/queue/item/5/' }).end();
      } else if (pathname === '/queue/item/5/api/json') {
        lookAt(stand);
        json(response, 200, isQueued ? { why: 'busy' } : { executable: { number: 12 } });
      } else if (pathname === '/queue/api/json') {
        const items = stand.starts.map((id) => ({ id: 5, actions: actionsOf(id) }));
        json(response, 200, { items: isQueued ? items : [] });
      } else if (pathname === '/job/deploy/job/shop/api/json') {
        const builds = stand.starts.map((id) => ({ number: 12, actions: actionsOf(id) }));
        json(response, 200, { builds: isQueued ? [] : builds });
      } else if (pathname.endsWith('/logText/progressiveText')) {
        const output = soFar(stand, true);
        response.writeHead(200, { 'Content-Type': 'text/plain', 'X-Text-Size': output.length });
        response.end(output.slice(Number(searchParams.get('start'))));
      } else if (/\/(?:stop|cancelItem)$/.test(pathname)) {
        stand.cancelled.push(pathname);
        response.writeHead(302, { Location: '/' }).end();
      } else {
        lookAt(stand);
        const over = stand.end === 'good' ? 'SUCCESS' : 'FAILURE';
        const building = stand.looks > 0;
        json(response, 200, { building, result: building ? null : over });
      }
    },
  };
  return stand;
}

/** https://docs.github.com/en/rest/actions. `tells`: whether it says which run it has started. */
export function actionsStand(tells: boolean, token = () => TOKEN): Stand {
  const path = '/repos/acme/infra/actions';
  const title = (id: string) => ({ id: 90, display_title: `Apply ${id}` });
  const stand: Stand = {
    starts: [],
    cancelled: [],
    looks: 2,
    end: 'good',
    answer(request, body, response) {
      assert.equal(request.headers.authorization, `token ${token()}`);
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://github');
      const given = body === '' ? {} : (JSON.parse(body) as Record<string, unknown>);
      if (pathname === `${path}/workflows/apply.yml/dispatches`) {
        const { ref, inputs, return_run_details: isAsked } = given;
        assert.equal(ref, 'main');
        if (!tells && isAsked !== undefined) {
          const message = 'Invalid request: "return_run_details" is not a permitted key.';
          return json(response, 422, { message });
        }
        const { sha, id } = inputs as Record<string, string>;
        assert.equal(sha, 'abc');
        stand.starts.push(id ?? '');
        if (!tells) return void response.writeHead(204).end();
        json(response, 200, { workflow_run_id: 90, run_url: 'x', html_url: 'x' });
      } else if (pathname === '/repos/acme/infra/dispatches') {
        const { event_type: type, client_payload: payload } = given;
        const { sha, mainsheet_id: id } = payload as Record<string, string>;
        assert.deepEqual([type, sha], ['apply', 'abc']);
        stand.starts.push(id ?? '');
        response.writeHead(204).end();
      } else if (pathname.endsWith('/runs')) {
        assert.match(searchParams.get('event') ?? '', /^(?:workflow|repository)_dispatch$/);
        json(response, 200, { workflow_runs: stand.starts.map(title) });
      } else if (pathname === `${path}/runs/90/cancel`) {
        stand.cancelled.push('90');
        json(response, 202, {});
      } else if (pathname === `${path}/runs/90/jobs`) {
        const conclusion = stand.looks > 0 ? null : stand.end === 'good' ? 'success' : 'failure';
        const state = { status: stand.looks > 0 ? 'in_progress' : 'completed', conclusion };
        json(response, 200, { jobs: [{ name: 'PLAY', html_url: 'https://job', ...state }] });
      } else {
        assert.equal(pathname, `${path}/runs/90`);
        lookAt(stand);
        const conclusion = stand.end === 'good' ? 'success' : 'failure';
        json(response, 200, {
          html_url: 'https://github.com/acme/infra/actions/runs/90',
          ...(stand.looks > 0
            ? { status: 'in_progress', conclusion: null }
            : { status: 'completed', conclusion }),
        });
      }
    },
  };
  return stand;
}
