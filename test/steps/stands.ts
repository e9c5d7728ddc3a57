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

/** Work of before that is found with what was started. */
const MANY = 2000;
const LONG_AGO = Date.now() - 7_200_000;

const LINES = ['PLAY [all]', 'TASK [the-secret]', 'PLAY RECAP', ''].join('\n');

/** Half of it until the work is over: cut in its line, or with the whole line. */
function soFar({ output = '', looks }: Pick<Stand, 'output' | 'looks'>, inLine: boolean): string {
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

export interface AwxStand extends Stand {
  /** What its template takes: any variables, those of a survey without `mainsheet_id`, or none. */
  takes: 'variables' | 'survey' | 'none';
  /** Looks after the end until all output is stored. */
  late: number;
  /** How it answers when it is asked for output. */
  shows: 'lines' | 'a sentence' | 'a string';
  /** Jobs of the template beside those that were started: each with its variables. */
  others: string[];
}

/**
 * https://docs.ansible.com/automation-controller/latest/html/controllerapi/api_ref.html; what is not there is as in
 * https://github.com/ansible/awx: `awx/api/filters.py`, `awx/api/serializers.py`, and the view of the output of version 1.
 */
export function awxStand(): AwxStand {
  const template = '/api/v2/job_templates/42';
  const variables: string[] = [];
  function launch(response: ServerResponse, extra: Record<string, string>): void {
    assert.equal(extra['sha'], 'abc');
    stand.starts.push(extra['mainsheet_id'] ?? '');
    const names = stand.takes === 'variables' ? Object.keys(extra) : [];
    if (stand.takes === 'survey') names.push('sha');
    const some = (isTaken: boolean) =>
      Object.fromEntries(
        Object.entries(extra).filter(([name]) => names.includes(name) === isTaken),
      );
    variables.push(JSON.stringify(some(true)));
    json(response, 201, { job: 7, ignored_fields: { extra_vars: some(false) }, status: 'pending' });
  }
  function list(response: ServerResponse, query: URLSearchParams): void {
    const refused = [...query.keys()].find((name) => name.startsWith('extra_vars'));
    if (refused !== undefined)
      return json(response, 403, { detail: 'Filtering on extra_vars is not allowed.' });
    const { created__gte: since, order_by: order, page_size, page } = Object.fromEntries(query);
    assert.equal(order, 'id');
    const others = stand.others.map((extra_vars, index) => ({ id: index - 100, extra_vars }));
    // The one that was relaunched has the variables, too.
    const own = variables.flatMap((extra_vars) => [7, 8].map((id) => ({ id, extra_vars })));
    const old = Array.from({ length: MANY }, (_, index) => ({ id: index - 9000, extra_vars: '' }));
    const from = Date.parse(since ?? '');
    const all = [
      ...(from < LONG_AGO ? old : []),
      ...(from < Date.now() ? [...others, ...own] : []),
    ];
    const end = Number(page) * Number(page_size);
    json(response, 200, {
      count: all.length,
      next: end < all.length ? `${template}/jobs/?page=${Number(page) + 1}` : null,
      results: all.slice(end - Number(page_size), end),
    });
  }
  function show(response: ServerResponse, query: URLSearchParams): void {
    const { content_format, content_encoding, start_line } = Object.fromEntries(query);
    const encoded = (text: string) => Buffer.from(text).toString('base64');
    const range = (start: number, end: number) => ({ start, end, absolute_end: end });
    const isAsked = content_format === 'ansi' && content_encoding === 'base64';
    if (!isAsked || stand.shows === 'a string') return json(response, 200, '<pre>PLAY</pre>');
    if (stand.shows === 'a sentence') {
      const content = 'Standard Output too large to display (2097152 bytes).';
      return json(response, 200, { range: range(0, 1), content });
    }
    const looks = Math.max(stand.looks, 0) + stand.late;
    const lines = soFar({ ...stand, looks }, false).match(/.*\n|.+$/g) ?? [];
    const content = encoded(lines.slice(Number(start_line)).join(''));
    json(response, 200, { range: range(Number(start_line), lines.length), content });
  }
  const stand: AwxStand = {
    starts: [],
    cancelled: [],
    looks: 2,
    end: 'good',
    output: LINES,
    takes: 'variables',
    late: 1,
    shows: 'lines',
    others: ['', '---\nmainsheet_id: x', '{"mainsheet_id":"x"}', ...Array<string>(30).fill('{}')],
    answer(request, body, response) {
      assert.equal(request.headers.authorization, 'Bearer the-secret');
      const url = new URL(request.url ?? '', 'http://awx');
      if (url.pathname === `${template}/launch/`) {
        if (request.method === 'POST') {
          const { extra_vars: extra } = JSON.parse(body) as { extra_vars: Record<string, string> };
          return launch(response, extra);
        }
        json(response, 200, {
          ask_variables_on_launch: stand.takes === 'variables',
          survey_enabled: stand.takes === 'survey',
        });
      } else if (url.pathname === `${template}/jobs/`) {
        list(response, url.searchParams);
      } else if (url.pathname === '/api/v2/jobs/7/stdout/') {
        show(response, url.searchParams);
      } else if (url.pathname === '/api/v2/jobs/7/cancel/') {
        stand.cancelled.push('7');
        json(response, 202, {});
      } else {
        assert.equal(url.pathname, '/api/v2/jobs/7/');
        if (stand.looks <= 0) stand.late = Math.max(0, stand.late - 1);
        lookAt(stand);
        const over = stand.end === 'good' ? 'successful' : 'failed';
        const status = stand.looks > 0 ? 'running' : over;
        const isWhole = stand.looks <= 0 && stand.late === 0;
        json(response, 200, { id: 7, status, event_processing_finished: isWhole });
      }
    },
  };
  return stand;
}

export interface JenkinsStand extends Stand {
  /** Whether the job declares `MAINSHEET_ID`: it drops what it does not. */
  declares: boolean;
  /** Whether it is five minutes later: it has forgotten the queue item. */
  forgets: boolean;
  /** Builds of the job that are newer. */
  others: number;
}

/** https://www.jenkins.io/doc/book/using/remote-access-api */
export function jenkinsStand(): JenkinsStand {
  const now = Date.now();
  const actionsOf = (id: string) => {
    const own = stand.declares ? [{ name: 'MAINSHEET_ID', value: id }] : [];
    return [{}, { parameters: [{ name: 'SHA', value: 'abc' }, ...own] }];
  };
  const stand: JenkinsStand = {
    starts: [],
    cancelled: [],
    looks: 3,
    end: 'good',
    output: LINES,
    declares: true,
    forgets: false,
    others: 150,
    answer(request, body, response) {
      const basic = Buffer.from('bot:the-secret').toString('base64');
      assert.equal(request.headers.authorization, `Basic ${basic}`);
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://jenkins');
      const isQueued = stand.looks > 2 && !stand.forgets;
      if (pathname === '/job/deploy/job/shop/buildWithParameters') {
        const parameters = new URLSearchParams(body);
        assert.equal(parameters.get('SHA'), 'abc');
        stand.starts.push(parameters.get('MAINSHEET_ID') ?? '');
        response.writeHead(201, { Location: 'http://jenkins/queue/item/5/' }).end();
      } else if (pathname === '/queue/item/5/api/json') {
        if (stand.forgets) return void response.writeHead(404).end();
        lookAt(stand);
        json(response, 200, isQueued ? { why: 'busy' } : { executable: { number: 12 } });
      } else if (pathname === '/queue/api/json') {
        const items = stand.starts.map((id) => ({ id: 5, actions: actionsOf(id) }));
        json(response, 200, { items: isQueued ? items : [] });
      } else if (pathname === '/job/deploy/job/shop/api/json') {
        const tree = searchParams.get('tree') ?? '';
        assert.match(tree, /property\[parameterDefinitions\[name\]\]/);
        const [, from, to] = /allBuilds\[.*\]\{(\d+),(\d+)\}$/.exec(tree) ?? [];
        const build = (number: number, actions: object[]) => ({ number, actions, timestamp: now });
        const old = Array.from({ length: MANY }, () => ({ ...build(1, []), timestamp: LONG_AGO }));
        const others = Array.from({ length: stand.others }, (_, index) => build(900 - index, [{}]));
        const own = isQueued ? [] : stand.starts.map((id) => build(12, actionsOf(id)));
        const names = stand.declares ? ['SHA', 'MAINSHEET_ID'] : ['SHA'];
        const parameterDefinitions = names.map((name) => ({ name }));
        json(response, 200, {
          property: [{}, { parameterDefinitions }],
          allBuilds: [...others, ...own, ...old].slice(Number(from), Number(to)),
        });
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
