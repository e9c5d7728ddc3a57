import type * as z from 'zod';
import type { NotifySpec } from '../../model/deployment-spec.ts';
import { chat } from './chat.ts';
import type { NotifyForm } from './contract.ts';
import { dispatch } from './dispatch.ts';
import { email } from './email.ts';
import { request } from './request.ts';
import { slack } from './slack.ts';

/** A notification is exactly one of these. Each by its key in an entry of `notify`. */
export const NOTIFY_FORMS = {
  dispatch,
  webhook: request('webhook', 'A signed HTTP request.'),
  cloudevents: request('cloudevents', 'The same as a CloudEvent, in structured mode.'),
  slack,
  discord: chat('discord', 'A message in a channel of Discord.'),
  email,
  teams: chat('teams', 'A card in a channel or chat of Microsoft Teams.'),
} satisfies Record<string, NotifyForm>;

type Written = z.output<(typeof NOTIFY_FORMS)[keyof typeof NOTIFY_FORMS]['schema']>;

/** The names of all kinds of entries. */
export type NotifyKind = Written['kind'];

/** An entry of any kind. */
export type AnyNotify = NotifySpec & Written;

/** An entry of one kind. */
export type NotifyOf<Kind extends NotifyKind> = Extract<AnyNotify, { kind: Kind }>;

/** Whether an entry is of that kind. */
export function isNotify<Kind extends NotifyKind>(
  entry: NotifySpec | undefined,
  kind: Kind,
): entry is NotifyOf<Kind> {
  return entry?.kind === kind;
}
