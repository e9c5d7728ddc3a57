import * as z from 'zod';
import { readAnswer } from './api-address.ts';
import { ACCESS_EVENTS, EVENTS, MEMBERS, type Permission } from './check.ts';
import { asGitHubFailure } from './failure.ts';
import { createOctokit, type OctokitSettings } from './octokit.ts';
import { SIGN_IN_CALLBACK } from './sign-in.ts';

/** What GitHub makes an App of: https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest */
export interface Manifest {
  name: string;
  url: string;
  hook_attributes: { url: string; active: true };
  redirect_url: string;
  /** Where a log-in comes back to. */
  callback_urls: string[];
  public: false;
  default_permissions: Record<string, 'read' | 'write'>;
  default_events: string[];
}

/** An App that asks for `permissions` and hears of the events that Mainsheet handles, and nothing more. `publicUrl` has no slash at its end. */
export function manifestOf(app: {
  name: string;
  publicUrl: string;
  redirectUrl: string;
  permissions: readonly Permission[];
}): Manifest {
  return {
    name: app.name,
    url: app.publicUrl,
    hook_attributes: { url: `${app.publicUrl}/webhooks/v1/github`, active: true },
    redirect_url: app.redirectUrl,
    callback_urls: [`${app.publicUrl}${SIGN_IN_CALLBACK}`],
    public: false,
    default_permissions: Object.fromEntries(
      [...app.permissions, MEMBERS].map(({ name, least }) => [name, least]),
    ),
    default_events: [...EVENTS, ...ACCESS_EVENTS],
  };
}

const conversion = z.object({
  id: z.number(),
  client_id: z.string(),
  client_secret: z.string(),
  pem: z.string(),
  webhook_secret: z.string(),
  html_url: z.string(),
});

/** What GitHub answers when the manifest's code is exchanged. */
export interface MadeApp {
  appId: string;
  clientId: string;
  clientSecret: string;
  privateKey: string;
  webhookSecret: string;
  url: string;
}

/** Exchanges the code that GitHub's redirect has brought, once and within an hour. Throws what `asGitHubFailure` gives. */
export async function convertManifest(settings: OctokitSettings, code: string): Promise<MadeApp> {
  try {
    const client = createOctokit(settings, {});
    const { data } = await client.rest.apps.createFromManifest({ code });
    const app = readAnswer(conversion, data, settings.apiUrl);
    return {
      appId: String(app.id),
      clientId: app.client_id,
      clientSecret: app.client_secret,
      privateKey: app.pem,
      webhookSecret: app.webhook_secret,
      url: app.html_url,
    };
  } catch (error) {
    throw asGitHubFailure(error, { doing: 'make the App', now: settings.clock.now() });
  }
}
