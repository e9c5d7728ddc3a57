import { wrong, type Wrong } from './wrong.ts';

/** A plain address, without a slash at its end. Not quoted in messages: it may hold a password. */
export function webUrl(text: string): string | Wrong {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return wrong('is no http or https URL', 'write it whole, such as https://mainsheet.example');
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    return wrong('has a user, a query or a fragment', 'leave only https://host/path');
  }
  return url.href.replace(/\/+$/, '');
}
