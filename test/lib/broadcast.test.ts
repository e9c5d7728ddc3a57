import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBroadcast } from '../../src/lib/broadcast.ts';

test('everybody who listens is told, in the order of publishing', () => {
  const news = createBroadcast<number>();
  const heard: string[] = [];
  news.publish(0);
  news.subscribe((item) => heard.push(`a${item}`));
  news.subscribe((item) => heard.push(`b${item}`));
  news.publish(1);
  news.publish(2);
  assert.deepEqual(heard, ['a1', 'b1', 'a2', 'b2']);
});

test('who stops listening is told nothing more, also when it stops while it is told', () => {
  const news = createBroadcast<number>();
  const heard: string[] = [];
  const stop = news.subscribe((item) => {
    heard.push(`once${item}`);
    stop();
  });
  news.subscribe((item) => heard.push(`always${item}`));
  news.publish(1);
  news.publish(2);
  stop();
  assert.deepEqual(heard, ['once1', 'always1', 'always2']);
});
