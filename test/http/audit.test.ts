import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSpecs } from '../../src/spec/load.ts';
import { ADMIN_TOKEN } from '../support/admin.ts';
import { sampleStatus, sampleRun } from '../store/samples.ts';
import { startHttp } from './fixture.ts';
import { logIn, SAME_SITE } from './pages/browser.ts';

interface Audit {
  items: { action: string; subject: string; origin: string | null }[];
  next: string | null;
}

test('what people did says from where, and is found by who, what and to what', async (t) => {
  const { hooks } = parseSpecs('hooks.yaml', 'kind: hook\nid: registry\nsender: bearer\n');
  const { url, store } = await startHttp(t, { hooks: hooks.map(({ hook }) => hook) });
  const api = async (path: string, init: RequestInit = {}) => {
    const headers = {
      Authorization: `Bearer ${ADMIN_TOKEN}`,
      'Content-Type': 'application/json',
      ...(init.headers as Record<string, string>),
    };
    return (await fetch(`${url}/api/v1${path}`, { ...init, headers })).json();
  };
  const body = JSON.stringify({ hook: 'registry', owner: 'acme' });
  const { id } = (await api('/hooks', { method: 'POST', body })) as { id: string };
  await api(`/hooks/${id}`, { method: 'DELETE', headers: { 'User-Agent': 'mainsheet/1.2.3' } });
  await store.audit.record({
    at: 1,
    actor: 'github:mallory',
    action: 'run.retry',
    subject: 'r1',
    detail: '',
  });
  const found = async (query: string) =>
    ((await api(`/audit${query}`)) as Audit).items.map(({ action, origin }) => [action, origin]);
  const made = ['hook.create', 'API from 127.0.0.1'];
  const gone = ['hook.delete', 'command line from 127.0.0.1'];
  const pressed = ['run.retry', null];
  assert.deepEqual(await found(''), [pressed, gone, made]);
  assert.deepEqual(await found('?actor=admin'), [gone, made]);
  assert.deepEqual(await found('?action=hook.create'), [made]);
  assert.deepEqual(await found(`?subject=${id}`), [gone, made]);
  const { next } = (await api('/audit?limit=1')) as Audit;
  assert.deepEqual(await found(`?cursor=${next}`), [gone, made]);

  const page = await fetch(`${url}/activity?actor=admin`, {
    headers: { Cookie: await logIn(url) },
  });
  const text = await page.text();
  assert.match(text, /command line from 127\.0\.0\.1/);
  assert.doesNotMatch(text, /mallory/);
  assert.doesNotMatch(
    text.replaceAll(/href="[^"]*"/g, ''),
    new RegExp(id),
    'no whole id is in a list',
  );
});

test('of where a sender wants to be answered people read the host alone: the rest may be that sender’s secret', async (t) => {
  const { url, store } = await startHttp(t);
  const to = { delivery: 'd1', url: 'https://sender.example/hooks/s3cret?key=s3cret', secret: 'K' };
  const callback = { kind: 'answer', to, run: sampleRun('r1') };
  await store.outbox.add('r1', [{ target: 'a', callback }], 1);
  for (const path of ['/callbacks/1', '/api/v1/outbox/1']) {
    const answer = await fetch(url + path, { headers: { Cookie: await logIn(url) } });
    const text = await answer.text();
    assert.match(text, /https:\/\/sender\.example/, path);
    assert.doesNotMatch(text, /s3cret/, path);
  }
});

test('a dead callback is sent again alone, or with all others of its target', async (t) => {
  const { url, store, asked } = await startHttp(t);
  const status = { target: 'a', callback: sampleStatus('success') };
  await store.outbox.add('r1', [status, status], 1);
  const page = async () => {
    const answer = await fetch(`${url}/callbacks/1`, { headers: { Cookie: await logIn(url) } });
    return await answer.text();
  };
  await store.outbox.finish(1, 'dead', 2, 'gone');
  assert.doesNotMatch(await page(), /of its target again/);
  await store.outbox.finish(2, 'dead', 2, 'gone');
  assert.match(await page(), /Send all 2 of its target again/);
  const headers = { Cookie: await logIn(url), ...SAME_SITE };
  for (const body of ['', 'target=true']) {
    await fetch(`${url}/callbacks/1/resend`, { method: 'POST', headers, body, redirect: 'manual' });
  }
  const token = { Authorization: `Bearer ${ADMIN_TOKEN}` };
  await fetch(`${url}/api/v1/outbox/1/retry?target=true`, { method: 'POST', headers: token });
  const whole = 'resend 1 and its target as admin';
  assert.deepEqual(asked, ['resend 1 as admin', whole, whole]);
});
