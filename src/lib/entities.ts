/** Characters of ASCII that have names: https://html.spec.whatwg.org/multipage/named-characters.html */
const PUNCTUATION: Record<string, string> = {
  '\t': 'Tab',
  '\n': 'NewLine',
  '!': 'excl',
  '"': 'quot QUOT',
  '#': 'num',
  $: 'dollar',
  '%': 'percnt',
  '&': 'amp AMP',
  "'": 'apos',
  '(': 'lpar',
  ')': 'rpar',
  '*': 'ast midast',
  '+': 'plus',
  ',': 'comma',
  '.': 'period',
  '/': 'sol',
  ':': 'colon',
  ';': 'semi',
  '<': 'lt LT',
  '=': 'equals',
  '>': 'gt GT',
  '?': 'quest',
  '@': 'commat',
  '[': 'lsqb lbrack',
  '\\': 'bsol',
  ']': 'rsqb rbrack',
  '^': 'Hat',
  _: 'lowbar UnderBar',
  '`': 'grave DiacriticalGrave',
  '{': 'lcub lbrace',
  '|': 'verbar vert VerticalLine',
  '}': 'rcub rbrace',
};

/** Those of Latin-1, from U+00A0 on. */
const LATIN = `nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute
micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil
Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute
Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute
icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml`;

/** Greek, from U+0391 and U+03B1 on (U+03C2, which has no capital, stands below). */
const GREEK = `Alpha Beta Gamma Delta Epsilon Zeta Eta Theta Iota Kappa Lambda Mu Nu Xi Omicron Pi Rho - Sigma Tau Upsilon Phi
Chi Psi Omega`;

/** The rest of those that HTML 4 had, as far as they are letters and punctuation: https://www.w3.org/TR/html4/sgml/entities.html */
const OTHERS = `OElig Œ oelig œ Scaron Š scaron š Yuml Ÿ fnof ƒ circ ˆ tilde ˜ ndash – mdash — lsquo ‘ rsquo ’ sbquo ‚ ldquo “
rdquo ” bdquo „ dagger † Dagger ‡ bull • hellip … permil ‰ prime ′ Prime ″ lsaquo ‹ rsaquo › oline ‾ frasl ⁄ euro € trade ™
larr ← uarr ↑ rarr → darr ↓ harr ↔ infin ∞ ne ≠ le ≤ ge ≥ asymp ≈ minus − radic √ sigmaf ς`;

/** What the named entities of HTML stand for, as far as encoders write them. */
export const ENTITIES: ReadonlyMap<string, string> = new Map([
  ...Object.entries(PUNCTUATION).flatMap(([character, names]) =>
    names.split(' ').map((name): [string, string] => [name, character]),
  ),
  ...rowFrom(0xa0, LATIN),
  ...rowFrom(0x391, GREEK),
  ...rowFrom(0x3b1, GREEK.toLowerCase()),
  ...(OTHERS.match(/\S+\s+\S+/g) ?? []).map(
    (pair): [string, string] => pair.split(/\s+/) as [string, string],
  ),
]);

/** Names of characters that follow each other. */
function rowFrom(code: number, names: string): [string, string][] {
  return names.split(/\s+/).map((name, index) => [name, String.fromCharCode(code + index)]);
}
