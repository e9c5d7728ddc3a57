/* What every page does: keep times true, confirm in a dialog, change colours, and be live. */
'use strict';

(() => {
  /* As `agoText`, `untilText` and `durationText` in components/time.ts. */
  const UNITS = [
    ['y', 31536000],
    ['mo', 2592000],
    ['d', 86400],
    ['h', 3600],
    ['min', 60],
  ];

  function agoText(ms) {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    for (const [unit, size] of UNITS) {
      if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
    }
    return seconds < 10 ? 'just now' : `${seconds} s ago`;
  }

  function untilText(ms) {
    const seconds = Math.floor(ms / 1000);
    for (const [unit, size] of UNITS) {
      if (seconds >= size) return `in ${Math.floor(seconds / size)} ${unit}`;
    }
    return seconds < 1 ? 'now' : `in ${seconds} s`;
  }

  function durationText(ms) {
    const seconds = Math.max(0, ms / 1000);
    if (seconds < 10) return `${seconds.toFixed(1)} s`;
    const whole = Math.floor(seconds);
    if (whole < 60) return `${whole} s`;
    const two = (value) => String(value).padStart(2, '0');
    if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
    if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole / 60) % 60)} m`;
    return `${Math.floor(whole / 86400)} d ${Math.floor(whole / 3600) % 24} h`;
  }

  function write(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function tick() {
    if (document.hidden) return;
    const now = Date.now();
    for (const time of document.querySelectorAll('time[data-since]')) {
      write(time, durationText(now - Date.parse(time.dataset.since)));
    }
    for (const time of document.querySelectorAll('time[data-until]')) {
      write(time, untilText(Date.parse(time.dataset.until) - now));
    }
    for (const time of document.querySelectorAll('time[datetime]')) {
      write(time, agoText(now - Date.parse(time.dateTime)));
      time.title ||= `${time.dateTime.slice(0, 16).replace('T', ' ')} UTC`;
    }
    for (const bar of document.querySelectorAll('progress[data-since]')) {
      bar.value = Math.min(bar.max * 0.99, now - Date.parse(bar.dataset.since));
    }
  }

  /* On a narrow screen the page that one is on may be out of sight. */
  const nav = document.querySelector('.nav-links');
  const current = nav?.querySelector('[aria-current]');
  if (current) nav.scrollLeft = current.offsetLeft - nav.offsetLeft - 16;

  setInterval(tick, 1000);
  document.addEventListener('visibilitychange', tick);

  /* What is to be confirmed has a page of its own; with a script it comes as a dialog. */
  const dialog = () => document.getElementById('dialog');

  /* Links in a piece of a page lead from where it is put, which is not where it was asked for. */
  const ROOT = { 'Mainsheet-Root': document.body.dataset.root };
  document.addEventListener('htmx:config:request', ({ detail }) => {
    Object.assign(detail.ctx.request.headers, ROOT);
  });

  async function ask(href) {
    const answer = await fetch(href, { headers: { 'HX-Request': 'true', ...ROOT } });
    if (!answer.ok || answer.headers.has('HX-Redirect')) return location.assign(href);
    dialog().innerHTML = await answer.text();
    dialog().showModal();
  }

  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[data-dialog]');
    if (link && !event.metaKey && !event.ctrlKey && !event.shiftKey) {
      event.preventDefault();
      ask(link.href).catch(() => location.assign(link.href));
      return;
    }
    if (event.target.closest('[data-close]') && dialog().open) {
      event.preventDefault();
      dialog().close();
    }
    if (event.target === dialog()) dialog().close();
    for (const menu of document.querySelectorAll('details.menu[open]')) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      for (const menu of document.querySelectorAll('details.menu[open]')) {
        menu.open = false;
        menu.querySelector('summary').focus();
      }
    }
    const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? '');
    if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey) {
      const search = document.querySelector('input[type=search]');
      if (search) {
        event.preventDefault();
        search.focus();
      }
    }
  });

  /* A form that was sent is not sent again by a second click. */
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (form.method !== 'post') return;
    if (form.dataset.sent === 'yes') event.preventDefault();
    form.dataset.sent = 'yes';
  });
  /* While the answer to a long question is awaited, its form says how far it has come. */
  document.addEventListener('submit', (event) => {
    const { progress } = event.target.dataset;
    if (event.defaultPrevented || !progress) return;
    const status = event.target.querySelector('[role=status]');
    setInterval(async () => {
      const answer = await fetch(progress).catch(() => undefined);
      if (answer?.ok) write(status, await answer.text());
    }, 1000);
  });
  window.addEventListener('pageshow', () => {
    for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
  });

  /* Colours change without a reload. */
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (!form.matches('[data-theme-form]')) return;
    event.preventDefault();
    delete form.dataset.sent;
    const theme = { auto: 'light', light: 'dark', dark: 'auto' }[
      document.documentElement.dataset.theme
    ];
    document.documentElement.dataset.theme = theme;
    document.cookie = `mainsheet-theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax`;
    const use = form.querySelector('use');
    const name = { auto: 'desktop', light: 'sun', dark: 'moon' }[theme];
    use.setAttribute('href', `${document.body.dataset.icons}#${name}`);
    form.querySelector('button').title = `Colours: ${theme}`;
    form.querySelector('.for-readers').textContent = `Change colours, now ${theme}`;
  });

  /*
   * Live: the server says that something has changed, and each part that is live asks for itself again. While the page is hidden, the
   * stream is closed. It says so at its beginning, too: something may have changed before.
   */
  let stream;

  /* What changed while a dialog was open, or something was written. */
  let isMissed = false;

  function refresh() {
    isMissed = false;
    for (const part of document.querySelectorAll('[data-live]')) {
      const isBusy =
        part.contains(document.activeElement) &&
        document.activeElement.matches('input, textarea, select');
      if (isBusy || dialog().open) isMissed = true;
      else htmx.trigger(part, 'refresh');
    }
  }

  for (const name of ['close', 'focusout']) {
    document.addEventListener(
      name,
      () => {
        // The next element has the focus only after this event.
        if (isMissed) setTimeout(refresh);
      },
      true,
    );
  }

  function connect() {
    const source = document.querySelector('[data-stream]');
    if (!source || stream || document.hidden) return;
    stream = new EventSource(source.dataset.stream);
    document.dispatchEvent(new CustomEvent('mainsheet:stream', { detail: stream }));
    stream.addEventListener('open', () => {
      document.documentElement.dataset.connected = 'yes';
    });
    stream.addEventListener('changed', refresh);
    stream.addEventListener('error', () => {
      document.documentElement.dataset.connected = 'no';
      if (stream.readyState !== EventSource.CLOSED) return;
      stream = undefined;
      setTimeout(connect, 2000 + Math.random() * 3000);
    });
  }

  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      stream?.close();
      stream = undefined;
    } else {
      connect();
    }
  });
  /* After the page's own script, which wants to hear of the stream. */
  addEventListener('DOMContentLoaded', connect);
  tick();
})();
