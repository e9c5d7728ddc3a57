import { BlockList, isIP } from 'node:net';

/** An address (`10.0.0.1`) or a network in CIDR notation (`fd00::/8`); undefined for anything else. */
export function parseNetwork(
  text: string,
): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const most = version === 4 ? 32 : 128;
  const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
  return prefix >= 0 && prefix <= most ? { address, prefix, family } : undefined;
}

/** Whether an address is in any of the networks; an IPv4 address may be written as IPv6 has it. */
export function createNetworks(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const text of networks) {
    const network = parseNetwork(text);
    if (network !== undefined) list.addSubnet(network.address, network.prefix, network.family);
  }
  const isIn = (address: string) => {
    const version = isIP(address);
    return version !== 0 && list.check(address, version === 6 ? 'ipv6' : 'ipv4');
  };
  // The same one often asks many times in a row.
  let last = '';
  let wasIn = false;
  return (text) => {
    if (text !== last) {
      wasIn = isIn(plainAddress(text));
      last = text;
    }
    return wasIn;
  };
}

/** An address without what IPv6 puts before an IPv4 one. */
export function plainAddress(text: string): string {
  return text.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
}

/** What one sender has at least: an IPv4 address as it is, of an IPv6 address its /64. Anything else is given back. */
export function senderOf(text: string): string {
  const [address = ''] = plainAddress(text).split('%');
  if (isIP(address) !== 6) return address;
  const [head = [], tail = []] = new URL(`http://[${address}]`).hostname
    .slice(1, -1)
    .split('::')
    .map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...zeros, ...tail].slice(0, 4).join(':');
}

/** What is in no public network: https://www.iana.org/assignments/iana-ipv4-special-registry, and IPv6's. */
export const isPrivateAddress = createNetworks([
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '100.64.0.0/10',
  '::1',
  'fc00::/7',
  'fe80::/10',
]);
