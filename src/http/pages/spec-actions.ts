import type { Deploy } from '../../controller/operator/deploy.ts';
import type { Pausing } from '../../controller/operator/pausing.ts';
import type { PauseTarget } from '../../model/pause.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Guard } from '../guard.ts';
import { heldSpecs } from '../read/held.ts';
import { confirm, reasonField } from './components/confirm.ts';
import { environmentPath, runPath } from './components/commit.ts';
import { readField } from './form.ts';
import { html, pathTo } from './html.ts';
import { get, post, type PageRoute } from './page.ts';

type Kind = PauseTarget['kind'];

/** Pausing and resuming specs and lanes, and deploying by hand. */
export function specActionRoutes(deps: {
  catalog: Pick<Catalog, 'current'>;
  guard: Guard;
  pausing: Pausing;
  deploy: Deploy;
}): PageRoute[] {
  const { guard, pausing, deploy } = deps;

  const pauseRoutes = (kind: Kind): PageRoute[] =>
    (['pause', 'resume'] as const).flatMap((action): PageRoute[] => [
      get(`/${kind}s/:name/${action}`, async ({ ctx, frame, id: name }, viewer) => {
        await guard.allow(viewer, action, { kind, name });
        const specs = heldSpecs(deps.catalog.current().specs, { kind, name });
        const environments = [...new Set(specs.map(({ environment }) => environment))].join(', ');
        const verb = action === 'pause' ? 'Pause' : 'Resume';
        return confirm(ctx, {
          title: `${verb} ${name}?`,
          text:
            action === 'pause'
              ? html`<p>What runs goes on. Nothing new is deployed to <span class="strong">${environments}</span> until it is resumed; of what comes meanwhile the newest waits.</p>
${reasonField({ hint: 'GitHub shows it, too' })}`
              : html`<p>What waits is deployed to <span class="strong">${environments}</span> now.</p>`,
          action: frame.root + pathTo([`${kind}s`, name, action]),
          button: `${verb} ${environments || name}`,
          isDangerous: false,
          back: kind === 'spec' ? environmentPath(frame, name) : frame.root,
        });
      }),
      post(`/${kind}s/:name/${action}`, async ({ ctx, frame, id: name }, viewer) => {
        const actor = await guard.allow(viewer, action, { kind, name });
        const reason = await readField(ctx, 'reason');
        if (action === 'pause') await pausing.pause({ kind, name }, actor, reason);
        else await pausing.resume({ kind, name }, actor);
        return { redirect: kind === 'spec' ? environmentPath(frame, name) : frame.root };
      }),
    ]);

  return [
    ...pauseRoutes('spec'),
    ...pauseRoutes('lane'),
    get('/specs/:name/deploy', async ({ ctx, frame, id: name }, viewer) => {
      await guard.allow(viewer, 'deploy', { kind: 'spec', name });
      const { environment } = guard.spec(viewer, name).spec;
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
    post('/specs/:name/deploy', async ({ ctx, frame, id: name }, viewer) => {
      const actor = await guard.allow(viewer, 'deploy', { kind: 'spec', name });
      const revision = await readField(ctx, 'revision');
      const run = await deploy(name, revision === '' ? undefined : revision, actor);
      return { redirect: runPath(frame, run.id) };
    }),
  ];
}
