import { isoTime } from '../../../lib/clock.ts';
import { html, type Content, type Html } from '../html.ts';

/** "3 minutes ago", with the exact time when one points at it. The script of the page keeps it true. */
export function ago(at: number, now: number): Html {
  const iso = isoTime(at);
  return html`<time datetime="${iso}" title="${exact(at)}">${agoText(now - at)}</time>`;
}

/** The same in fewer bytes; the script of the page adds the exact time. */
export function shortAgo(at: number, now: number): Html {
  return html`<time datetime="${isoTime(at).slice(0, 19)}Z">${agoText(now - at)}</time>`;
}

/** A time as Mainsheet writes it in reasons, with the "since" that may stand before it. */
const WRITTEN = /(since )?\b(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z)/g;

/** A reason with the times in it as pages show times: "since …" is "3 min ago", any other is written out. */
export function withTimes(text: string, now: number): Content {
  const parts: (string | Html)[] = [];
  let end = 0;
  for (const found of text.matchAll(WRITTEN)) {
    const at = Date.parse(found[2] ?? '');
    if (Number.isNaN(at)) continue;
    parts.push(text.slice(end, found.index), found[1] === undefined ? minuteOf(at) : ago(at, now));
    end = found.index + found[0].length;
  }
  return end === 0 ? text : [...parts, text.slice(end)];
}

/** The same as text alone, for what is shown when one points at it. */
export function timesWritten(text: string): string {
  return text.replaceAll(WRITTEN, (whole, sinceIt: string | undefined, iso: string) => {
    const at = Date.parse(iso);
    return Number.isNaN(at) ? whole : `${sinceIt ?? ''}${minuteOf(at)}`;
  });
}

const minuteOf = (at: number): string => `${exact(at).slice(0, 16)} UTC`;

/** How long something took. */
export function took(ms: number): Html {
  return html`<span class="num">${durationText(ms)}</span>`;
}

/** How long something has been going on: the script counts it up each second. */
export function since(at: number, now: number): Html {
  return html`<time data-since="${isoTime(at)}" title="Since ${exact(at)}">${durationText(now - at)}</time>`;
}

/** "in 18 min" until it has come; the script of the page keeps it true. */
export function until(at: number, now: number): Html {
  return html`<time data-until="${isoTime(at)}" title="${exact(at)}">${untilText(at - now)}</time>`;
}

/** As `untilText` in `app.js`. */
function untilText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  for (const [unit, size] of UNITS) {
    if (seconds >= size) return `in ${Math.floor(seconds / size)} ${unit}`;
  }
  return seconds < 1 ? 'now' : `in ${seconds} s`;
}

export function exact(at: number): string {
  return `${isoTime(at).slice(0, 19).replace('T', ' ')} UTC`;
}

const UNITS = [
  ['y', 365 * 86_400],
  ['mo', 30 * 86_400],
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
] as const;

/** As `agoText` in `app.js`. */
function agoText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  for (const [unit, size] of UNITS) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
  }
  return seconds < 10 ? 'just now' : `${seconds} s ago`;
}

/** As `durationText` in `app.js`: `0.4 s`, `12 s`, `3 m 05 s`, `2 h 10 m`. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, ms / 1000);
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole / 60) % 60)} m`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor(whole / 3600) % 24} h`;
}
