import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { MainsheetError } from '../../src/lib/errors.ts';
import { renderUrl } from '../../src/spec/render-url.ts';

const SECRETS = { HOOK: 'https://hooks.example/T1/x?key=a&b', OTHER: 'https://other.example/' };

function render(url: string, ref: unknown): string {
  return renderUrl(url, { event: { ref }, secrets: SECRETS, spec: { name: 'shop' } });
}

const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '..',
    '.',
    '../../admin',
    '?a=1#',
    '@evil.example',
    '\\evil',
    '%2e%2e',
    '\u{d800}',
  ),
  fc.string({ unit: fc.constantFrom('.', '/', '\\', '?', '#', '&', '=', '%', '2', 'e', '@', ':') }),
);

test('no value of an event changes the host, the path or the query of a webhook’s URL', () => {
  fc.assert(
    fc.property(hostile, hostile, (first, second) => {
      let url;
      try {
        url = new URL(
          renderUrl('https://h.example/a/${{ event.x }}${{ event.y }}/b?q=${{ event.x }}&z=1', {
            event: { x: first, y: second },
          }),
        );
      } catch (error) {
        // A value that is "." or ".." is no part of any path, however it is written.
        assert.ok(error instanceof MainsheetError && error.code === 'webhook-url');
        assert.match(first + second, /^\.{1,2}$/);
        return;
      }
      const text = first.toWellFormed() + second.toWellFormed();
      assert.equal(url.host, 'h.example');
      assert.deepEqual(url.pathname.split('/').map(decodeURIComponent), ['', 'a', text, 'b']);
      assert.deepEqual([...url.searchParams.keys()], ['q', 'z']);
      assert.equal(url.searchParams.get('q'), first.toWellFormed());
      assert.equal(url.hash, '');
    }),
  );
});

test('secrets and the spec’s own text go into a URL as they are', () => {
  assert.equal(render('${{ secrets.HOOK }}', ''), SECRETS.HOOK);
  const chosen = "${{ event.ref == 'main' ? secrets.HOOK : secrets.OTHER }}";
  assert.equal(render(chosen, 'main'), SECRETS.HOOK);
  assert.equal(
    render('${{ secrets.OTHER }}${{ spec.name }}/${{ event.ref }}', 'a/b'),
    'https://other.example/shop/a%2Fb',
  );
});

test('a value that would belong to the host is refused, also behind a secret', () => {
  for (const url of [
    '${{ event.ref }}',
    'https://${{ event.ref }}/x',
    'https://h.example${{ event.ref }}/x',
    'https://h.example:${{ event.ref }}/x',
    "${{ 'https://' + event.ref }}",
    '${{ secrets.MISSING_SLASH }}${{ event.ref }}',
  ]) {
    const secrets = { MISSING_SLASH: 'https://h.example' };
    assert.throws(() => renderUrl(url, { event: { ref: '.evil.example' }, secrets }), {
      code: 'webhook-url',
    });
  }
});
