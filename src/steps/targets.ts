import { lookup as lookUp, type LookupAddress, type LookupOptions } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { TerminalError } from '../lib/errors.ts';

/** What may not be asked: this machine, and what clouds tell machines about themselves. https://owasp.org/www-community/attacks/Server_Side_Request_Forgery */
const CLOSED: [address: string, prefix: number, family: 'ipv4' | 'ipv6'][] = [
  ['0.0.0.0', 8, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['100.100.100.200', 32, 'ipv4'],
  ['168.63.129.16', 32, 'ipv4'],
  ['::', 127, 'ipv6'],
  ['fe80::', 10, 'ipv6'],
  ['192.0.0.192', 32, 'ipv4'],
  ['fd00:ec2::', 32, 'ipv6'],
  ['fd00:c1::a9fe:a9fe', 128, 'ipv6'],
  ['fd00:42::42', 128, 'ipv6'],
  ['fd00:100::100:200', 128, 'ipv6'],
  ['fd00:a9fe:a9fe::1', 128, 'ipv6'],
  ['fd20:ce::254', 128, 'ipv6'],
];

type Answer = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

/** Which addresses steps may ask. */
export interface Targets {
  /** Throws TerminalError `closed-address` for a host that is written as an address steps may not ask. */
  check(host: string): void;
  /** `dns.lookup` that finds only addresses steps may ask, so that a name cannot lead elsewhere after it was looked at. */
  lookup(host: string, options: LookupOptions, answer: Answer): void;
  /** A `fetch` that finds hosts with `lookup`, for URLs that may be written with an address. */
  guard(looking: typeof fetch): typeof fetch;
}

/** `allowed`: CIDRs that the operator has opened all the same. */
export function createTargets(allowed: readonly string[]): Targets {
  const open = new BlockList();
  for (const cidr of allowed) {
    const [address = '', prefix = ''] = cidr.split('/');
    open.addSubnet(address, Number(prefix), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }

  function isClosed(written: string): boolean {
    const address = withoutMapping(written);
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (open.check(address, family)) return false;
    return closedNow().check(address, family);
  }

  function check(host: string): void {
    const address = host.replace(/^\[|\]$/g, '');
    if (isIP(address) !== 0 && isClosed(address)) throw closed(host);
  }

  return {
    check,
    guard: (looking) => async (url, init) => {
      check(new URL(url instanceof Request ? url.url : url).hostname);
      return await looking(url, init);
    },
    lookup(host, options, answer) {
      lookUp(host, { ...options, all: true }, (error, found) => {
        if (error !== null) return answer(error, []);
        const allowedOnes = found.filter(({ address }) => !isClosed(address));
        const [first] = allowedOnes;
        if (first === undefined) return answer(closed(host), []);
        if (options.all === true) return answer(null, allowedOnes);
        return answer(null, first.address, first.family);
      });
    },
  };
}

/** Addresses of the machine may change while it runs. */
function closedNow(): BlockList {
  const list = new BlockList();
  const close = (address: string, prefix: number, family: 'ipv4' | 'ipv6') => {
    list.addSubnet(address, prefix, family);
    if (family === 'ipv6') return;
    // What a gateway of NAT64 or 6to4 would reach: https://www.rfc-editor.org/rfc/rfc6052, https://www.rfc-editor.org/rfc/rfc3056
    list.addSubnet(`64:ff9b::${address}`, 96 + prefix, 'ipv6');
    list.addSubnet(sixToFour(address), 16 + prefix, 'ipv6');
  };
  for (const one of CLOSED) close(...one);
  for (const { address, family } of Object.values(networkInterfaces()).flatMap(
    (one) => one ?? [],
  )) {
    close(address, family === 'IPv6' ? 128 : 32, family === 'IPv6' ? 'ipv6' : 'ipv4');
  }
  return list;
}

/** The first address of the 6to4 network of an IPv4 address. */
function sixToFour(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return `2002:${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}::`;
}

/** `::ffff:127.0.0.1` is 127.0.0.1, also where it is written in hexadecimal digits. */
function withoutMapping(address: string): string {
  const host = URL.parse(`http://[${address}]/`)?.hostname;
  const digits = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(host ?? '');
  if (digits === null) return address;
  const [high = 0, low = 0] = digits.slice(1).map((part) => Number.parseInt(part, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

function closed(host: string): TerminalError {
  return new TerminalError(
    'closed-address',
    `${host} is this machine, or one that only it may ask`,
    {
      hint: 'where that is meant the operator allows it in MAINSHEET_STEP_TARGETS',
    },
  );
}
