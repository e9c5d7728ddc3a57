import type { Deploy } from '../../controller/operator/deploy.ts';
import type { Pausing } from '../../controller/operator/pausing.ts';
import type { PauseTarget } from '../../model/pause.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store } from '../../store/index.ts';
import type { Viewer } from '../auth/viewer.ts';
import { heldRepositories, heldSpecs } from '../read/held.ts';
import { confirm } from './components/confirm.ts';
import { environmentPath, runPath } from './components/commit.ts';
import { readForm } from './form.ts';
import { html, pathTo } from './html.ts';
import { allowed, found, get, post, type PageRoute } from './page.ts';

type Kind = PauseTarget['kind'];

/** Pausing and resuming specs and lanes, and deploying by hand. */
export function specActionRoutes(deps: {
  store: Pick<Store, 'environments'>;
  catalog: Catalog;
  pausing: Pausing;
  deploy: Deploy;
}): PageRoute[] {
  const { catalog, pausing, deploy } = deps;

  /** The specs that a pause of it holds. All of them have to be the viewer's to act on, and what is deployed there. */
  async function held(
    kind: Kind,
    name: string,
    viewer: Viewer,
    action: 'pause' | 'resume' | 'deploy',
  ) {
    const specs = heldSpecs(catalog.current().specs, { kind, name });
    const repositories = await heldRepositories(deps, { kind, name });
    // A pause outlives its spec: only who may see everything finds it then.
    const isVisible =
      specs.length === 0
        ? viewer.visible === undefined
        : repositories.every((repository) => viewer.canSee(repository));
    found(isVisible ? name : undefined, 'spec', name);
    for (const repository of repositories) allowed(viewer, action, repository);
    return specs;
  }

  const pauseRoutes = (kind: Kind): PageRoute[] =>
    (['pause', 'resume'] as const).flatMap((action): PageRoute[] => [
      get(`/${kind}s/:name/${action}`, async ({ ctx, frame, params }, viewer) => {
        const name = params['name'] ?? '';
        const specs = await held(kind, name, viewer, action);
        const environments = [...new Set(specs.map(({ environment }) => environment))].join(', ');
        const verb = action === 'pause' ? 'Pause' : 'Resume';
        return confirm(ctx, {
          title: `${verb} ${name}?`,
          text:
            action === 'pause'
              ? html`<p>What runs goes on. Nothing new is deployed to <span class="strong">${environments}</span> until it is resumed; of what comes meanwhile the newest waits.</p>
<div><label class="label-text" for="reason">Why</label><input class="field" id="reason" name="reason" maxlength="200" placeholder="GitHub shows it, too" autocomplete="off"></div>`
              : html`<p>What waits is deployed to <span class="strong">${environments}</span> now.</p>`,
          action: frame.root + pathTo([`${kind}s`, name, action]),
          button: `${verb} ${environments || name}`,
          isDangerous: false,
          back: kind === 'spec' ? environmentPath(frame, name) : frame.root,
        });
      }),
      post(`/${kind}s/:name/${action}`, async ({ ctx, frame, params }, viewer) => {
        const name = params['name'] ?? '';
        await held(kind, name, viewer, action);
        const reason = (await readForm(ctx)).get('reason')?.trim() ?? '';
        if (action === 'pause') await pausing.pause({ kind, name }, viewer.actor, reason);
        else await pausing.resume({ kind, name }, viewer.actor);
        return { redirect: kind === 'spec' ? environmentPath(frame, name) : frame.root };
      }),
    ]);

  return [
    ...pauseRoutes('spec'),
    ...pauseRoutes('lane'),
    get('/specs/:name/deploy', async ({ ctx, frame, params }, viewer) => {
      const name = params['name'] ?? '';
      const [spec] = await held('spec', name, viewer, 'deploy');
      const { environment } = found(spec, 'spec', name);
      return confirm(ctx, {
        title: `Deploy to ${environment}?`,
        text: html`<p>The commit is deployed whatever the triggers of <span class="strong">${name}</span> say, also an older one.</p>
<div><label class="label-text" for="revision">Branch, tag or commit</label><input class="field mono" id="revision" name="revision" maxlength="1000" placeholder="the branch of the spec" autocomplete="off" spellcheck="false"></div>`,
        action: frame.root + pathTo(['specs', name, 'deploy']),
        button: `Deploy to ${environment}`,
        isDangerous: false,
        back: environmentPath(frame, name),
      });
    }),
    post('/specs/:name/deploy', async ({ ctx, frame, params }, viewer) => {
      const name = params['name'] ?? '';
      const [spec] = await held('spec', name, viewer, 'deploy');
      found(spec, 'spec', name);
      const revision = (await readForm(ctx)).get('revision')?.trim();
      const run = await deploy(name, revision === '' ? undefined : revision, viewer.actor);
      return { redirect: runPath(frame, run.id) };
    }),
  ];
}
