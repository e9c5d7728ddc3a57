import type { Setting } from '../../config/summary.ts';
import type { BudgetUsage } from '../../github/budget.ts';
import type { Check } from '../../lib/check.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { InstallationState } from '../../store/installations.ts';
import type { Store } from '../../store/index.ts';

/** What is configured, without anything that is secret. */
export interface Settings {
  /** As it is in effect: what Mainsheet is, where it keeps things, whom it talks to. */
  facts: { name: string; value: string }[];
  variables: Setting[];
  /** Git servers beside GitHub. */
  servers: { name: string; type: string; url: string; hasToken: boolean }[];
  /** Whether a secret that specs or hooks may name is set. */
  hasSecret(name: string): boolean;
}

/** What `mainsheet doctor` says, asked for by hand. */
export interface CheckUp {
  /** Looks now, or waits for the look that is under way. */
  look(): Promise<CheckResult>;
  /** What the last look has found. */
  last(): CheckResult | undefined;
}

export interface CheckResult {
  /** When it ended, in milliseconds since the epoch. */
  at: number;
  checks: Check[];
  /** False: it took too long, and what is there is what was found until then. */
  isWhole: boolean;
}

export interface SettingsDeps {
  settings: Settings;
  checkUp: CheckUp;
  store: Pick<Store, 'installations'>;
  catalog: Pick<Catalog, 'current' | 'hooks'>;
  budget: () => BudgetUsage[];
}

export interface SettingsView extends Pick<Settings, 'facts' | 'variables' | 'servers'> {
  /** Those that specs and hooks name. */
  secrets: { name: string; isSet: boolean; by: string[] }[];
  budget: BudgetUsage[];
  /** Of the repositories that specs name; undefined: nothing has told. */
  installations: { repository: string; state: InstallationState | undefined }[];
  checked: CheckResult | undefined;
}

/** For those who may see everything. */
export async function readSettings(deps: SettingsDeps): Promise<SettingsView> {
  const { settings, catalog, store } = deps;
  const { specs } = catalog.current();
  const named = [
    ...specs.flatMap(({ spec }) => spec.secrets.map((name) => ({ name, by: spec.name }))),
    ...catalog
      .hooks()
      .flatMap(({ hook }) => hook.secrets.map(({ name }) => ({ name, by: `hook ${hook.id}` }))),
  ];
  const names = [...new Set(named.map(({ name }) => name))].sort();
  const repositories = [...new Set(specs.map(({ spec }) => spec.repository))].sort();
  return {
    facts: settings.facts,
    variables: settings.variables,
    servers: settings.servers,
    secrets: names.map((name) => ({
      name,
      isSet: settings.hasSecret(name),
      by: named.filter((one) => one.name === name).map(({ by }) => by),
    })),
    budget: deps.budget(),
    installations: await Promise.all(
      repositories.map(async (repository) => ({
        repository,
        state: await store.installations.stateOf(repository),
      })),
    ),
    checked: deps.checkUp.last(),
  };
}
