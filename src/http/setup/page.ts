import type { MadeApp, Manifest } from '../../github/manifest.ts';
import { html, type Html } from '../pages/html.ts';

/** What the person at the page has chosen. */
export interface Asked {
  /** An organization; empty: the person's own account. */
  owner: string;
  name: string;
  /** Where GitHub reaches this server, without a slash at the end. */
  publicUrl: string;
  /** Specs dispatch to hub repositories. */
  hubs: boolean;
  /** Specs have steps that start workflows. */
  workflows: boolean;
  /** Where the App's secrets go. */
  keep: 'here' | 'kubernetes';
}

/** One button that leads to GitHub, and above it what will be asked for there. */
export function manifestBody(shown: { asked: Asked; action: string; manifest: Manifest }): Html {
  const { asked, action, manifest } = shown;
  const permissions = Object.entries(manifest.default_permissions);
  return frameOf(html`
<h1>Set up Mainsheet</h1>
<p class="muted">GitHub makes an App for this server and hands its keys over. You confirm its name there.</p>
<dl class="facts">
<dt>Events come to</dt><dd class="mono break">${manifest.hook_attributes.url}</dd>
<dt>Permissions</dt><dd>${permissions.map(([name, access]) => html`<div>${name.replaceAll('_', ' ')}: ${access}</div>`)}</dd>
<dt>Events</dt><dd>${manifest.default_events.map((event) => event.replaceAll('_', ' ')).join(', ')}</dd>
</dl>
${isLocal(asked.publicUrl) ? html`<p class="setup-warning small">GitHub cannot reach this address. Give a public one below, or receive events with <code>mainsheet serve --tunnel</code>.</p>` : ''}
<form method="post" action="${action}">
<input type="hidden" name="manifest" value="${JSON.stringify(manifest)}">
<button class="button is-primary">Create the GitHub App${asked.owner === '' ? '' : ` in ${asked.owner}`}</button>
</form>
<details${asked.owner === '' && !asked.hubs && !asked.workflows ? '' : html` open`}>
<summary>Change this</summary>
<form method="get" action="setup">
<div><label class="label-text" for="owner">Organization</label>
<input class="field" id="owner" name="owner" value="${asked.owner}" autocomplete="off" maxlength="100" placeholder="your own account"></div>
<div><label class="label-text" for="name">Name of the App</label>
<input class="field" id="name" name="name" value="${asked.name}" maxlength="34" required></div>
<div><label class="label-text" for="url">Address of this server, as GitHub reaches it</label>
<input class="field mono" id="url" name="url" value="${asked.publicUrl}" required></div>
<label class="setup-check"><input type="checkbox" name="hubs"${asked.hubs ? html` checked` : ''}><span>Specs dispatch to hub repositories (contents: write)</span></label>
<label class="setup-check"><input type="checkbox" name="workflows"${asked.workflows ? html` checked` : ''}><span>Steps start workflows of GitHub Actions (actions: write)</span></label>
<label class="setup-check"><input type="checkbox" name="keep" value="kubernetes"${asked.keep === 'kubernetes' ? html` checked` : ''}><span>Show the keys as a Kubernetes Secret, and keep nothing here</span></label>
<button class="button">Apply</button>
</form>
</details>`);
}

/** The App is kept; it has to be installed. */
export function doneBody(app: MadeApp): Html {
  return frameOf(
    html` <h1>The App is made</h1>
      <p>Its keys are in the data directory. Mainsheet is starting with them now.</p>
      <p>
        <a class="button is-primary" href="${app.url}/installations/new"
          >Install it on repositories</a
        >
      </p>
      <p class="small muted">Then push to a repository that a deployment spec names.</p>`,
  );
}

/** The App's keys, once, for a cluster. */
export function secretBody(app: MadeApp, secret: string): Html {
  return frameOf(
    html` <h1>The App is made</h1>
      <p>
        This page is the only place that has its keys. Apply this Secret, then restart Mainsheet.
      </p>
      <pre tabindex="0">${secret}</pre>
      <p>
        <a class="button is-primary" href="${app.url}/installations/new"
          >Install it on repositories</a
        >
      </p>`,
  );
}

/** What `k8s/base` looks for. The values are base64, so that none of them is YAML. */
export function asSecret(app: MadeApp): string {
  const line = (key: string, value: string) => `  ${key}: ${Buffer.from(value).toString('base64')}`;
  return [
    'apiVersion: v1',
    'kind: Secret',
    'metadata:',
    '  name: mainsheet-github',
    '  namespace: mainsheet',
    'type: Opaque',
    'data:',
    line('app-id', app.appId),
    line('private-key', app.privateKey),
    line('webhook-secret', app.webhookSecret),
    line('client-id', app.clientId),
    line('client-secret', app.clientSecret),
    '',
  ].join('\n');
}

function frameOf(content: Html): Html {
  return html`<main id="main" class="login"><div class="setup-card">
<div class="panel setup">${content}</div>
</div></main>`;
}

function isLocal(address: string): boolean {
  return /^(?:localhost|127\.|\[::1\])/.test(URL.parse(address)?.hostname ?? '');
}
