/*
 * A run's log: blocks of lines are asked for as they come into sight and put away when they are far, so that a log of any length
 * is as quick as a short one. New lines are followed for as long as one is at the end.
 */
'use strict';

(() => {
  const BLOCK = 500;
  const LINE_PX = 20;
  /** A block this far from what is seen is put away. */
  const FAR = '6000px 0px';
  const NEAR = '1200px 0px';

  const steps = document.getElementById('steps');
  if (!steps) return;
  const runPath = steps.dataset.run;
  const follow = document.getElementById('follow');
  let isFollowing = document.querySelector('main[data-stream]') !== null;

  const stepOf = (element) => element.closest('details.step')?.dataset.step;
  const blockUrl = (block) => `${runPath}/log/${stepOf(block)}?from=${block.dataset.from}`;

  async function fetchRows(block) {
    const answer = await fetch(blockUrl(block), { headers: { 'HX-Request': 'true' } });
    if (!answer.ok || answer.headers.has('HX-Redirect')) throw new Error(`${answer.status}`);
    const fresh = document.createElement('div');
    fresh.innerHTML = await answer.text();
    return fresh;
  }

  /** Makes one list of rows look like another, and leaves alone what is the same: what is selected or open stays so. */
  function patch(old, fresh) {
    const rows = [...fresh.children];
    rows.forEach((row, index) => {
      const before = old.children[index];
      if (!before) old.append(row);
      else if (row.tagName === 'DETAILS' && before.tagName === 'DETAILS') patch(before, row);
      else if (before.outerHTML !== row.outerHTML) before.replaceWith(row);
    });
    while (old.children.length > rows.length) old.lastElementChild.remove();
  }

  async function load(block) {
    if (block.dataset.state === 'loading') {
      block.dataset.again = 'yes';
      return;
    }
    block.dataset.state = 'loading';
    try {
      const fresh = await fetchRows(block);
      if (block.dataset.loaded === undefined) block.replaceChildren();
      patch(block, fresh);
      block.dataset.loaded = '';
      block.style.minHeight = '';
    } catch (error) {
      // Asked for again when the stream says next how long the log is.
      delete block.dataset.newest;
      throw error;
    } finally {
      delete block.dataset.state;
    }
    if (block.dataset.again) {
      delete block.dataset.again;
      await load(block);
    }
  }

  function unload(block) {
    if (block.dataset.loaded === undefined || block.dataset.state) return;
    block.style.minHeight = `${block.offsetHeight}px`;
    delete block.dataset.loaded;
    block.replaceChildren();
  }

  const quietly = (promise) => promise.catch(() => undefined);

  const near = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting && target.dataset.loaded === undefined) quietly(load(target));
      }
    },
    { rootMargin: NEAR },
  );
  const far = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting && target.offsetParent !== null) unload(target);
      }
    },
    { rootMargin: FAR },
  );

  function watch(block) {
    if (block.dataset.loaded === undefined) {
      block.style.minHeight = `${Number(block.dataset.lines) * LINE_PX}px`;
      block.replaceChildren();
    }
    near.observe(block);
    far.observe(block);
  }

  for (const block of steps.querySelectorAll('.log-block')) watch(block);

  /** A step has so many lines now; `newest` changes whenever its last line does. */
  function grow(step, lines, newest) {
    const log = document.querySelector(`#step-${step} .log`);
    if (!log) return [];
    log.dataset.lines = lines;
    if (lines > 0) log.querySelector('.log-none')?.remove();
    const changed = [];
    for (let from = 0; from < lines; from += BLOCK) {
      const count = Math.min(BLOCK, lines - from);
      let block = log.querySelector(`.log-block[data-from="${from}"]`);
      const version = count === BLOCK ? 'whole' : String(newest);
      if (block?.dataset.newest === version && Number(block.dataset.lines) === count) continue;
      if (!block) {
        block = document.createElement('div');
        block.className = 'log-block';
        Object.assign(block.dataset, { from, lines: count });
        log.append(block);
        watch(block);
      }
      block.dataset.lines = count;
      block.dataset.newest = version;
      if (block.dataset.loaded === undefined) block.style.minHeight = `${count * LINE_PX}px`;
      changed.push(block);
    }
    return changed;
  }

  const isAtEnd = () =>
    window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 80;

  function toEnd() {
    const running = [...steps.querySelectorAll('details.step')].findLast((step) => step.open);
    (running ?? steps).scrollIntoView({ block: 'end' });
    window.scrollBy(0, 200);
  }

  /** What the stream said last: steps may come into the page after it. */
  let known = [];

  async function onLog(counts) {
    known = counts;
    const wasFollowing = isFollowing;
    const blocks = counts.flatMap(([step, lines, newest]) => grow(step + 1, lines, newest));
    const isOpen = (block) => block.closest('details.step').open;
    // Also in a step that was closed meanwhile: what is there has to be whole.
    const due = blocks.filter((block) => block.dataset.loaded !== undefined || isOpen(block));
    await Promise.all(due.map((block) => quietly(load(block))));
    if (wasFollowing && due.some(isOpen)) toEnd();
  }

  /* Following stops when one scrolls up, and goes on at the end. */
  let lastTop = window.scrollY;
  window.addEventListener(
    'scroll',
    () => {
      if (window.scrollY < lastTop - 4) isFollowing = false;
      if (isAtEnd()) isFollowing = true;
      lastTop = window.scrollY;
      if (follow)
        follow.hidden = isFollowing || document.querySelector('main[data-stream]') === null;
    },
    { passive: true },
  );
  follow?.addEventListener('click', () => {
    isFollowing = true;
    follow.hidden = true;
    toEnd();
  });

  /* A step that begins is opened, and the one before is closed, for those who follow. */
  function openRunning() {
    if (!isFollowing) return;
    const running = document.querySelector('details.step:has(> summary .is-running)');
    if (!running || running.open) return;
    for (const step of steps.querySelectorAll('details.step[open]')) step.open = false;
    running.open = true;
  }

  document.addEventListener('htmx:after:swap', () => {
    openRunning();
    quietly(onLog(known));
  });

  document.addEventListener('mainsheet:stream', ({ detail: stream }) => {
    stream.addEventListener('log', (event) => quietly(onLog(JSON.parse(event.data))));
  });

  /* Links lead to lines: `#2.120`. */
  async function goToLine() {
    const match = /^#(\d+)\.(\d+)$/.exec(location.hash);
    if (!match) return;
    const details = document.querySelector(`#step-${match[1]} details.step`);
    if (!details) return;
    isFollowing = false;
    details.open = true;
    const from = Math.floor((Number(match[2]) - 1) / BLOCK) * BLOCK;
    const block = details.querySelector(`.log-block[data-from="${from}"]`);
    if (!block) return;
    if (block.dataset.loaded === undefined) await load(block);
    const line = document.getElementById(location.hash.slice(1));
    if (!line) return;
    const group = line.closest('details.g');
    if (group) group.open = true;
    for (const other of steps.querySelectorAll('.is-linked')) other.classList.remove('is-linked');
    line.classList.add('is-linked');
    line.scrollIntoView({ block: 'center' });
  }

  window.addEventListener('hashchange', () => quietly(goToLine()));
  /* A link to where one was before changes nothing in the address, and its block may have been put away. */
  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[href*="#"]');
    if (link && link.href === location.href) quietly(goToLine());
  });
  /* What is in a summary opens or closes it; a link in it does not. */
  steps.addEventListener('click', (event) => {
    if (!event.target.closest('a.n')) return;
    event.preventDefault();
    history.replaceState(null, '', event.target.closest('a.n').href);
    quietly(goToLine());
  });

  /* It opens where it went wrong, at the end of that step's log. */
  if (location.hash) quietly(goToLine());
  else {
    const failed = document.querySelector('details.step[open]:has(> summary .is-failed)');
    if (failed && failed.offsetHeight > window.innerHeight) failed.scrollIntoView({ block: 'end' });
  }
})();
