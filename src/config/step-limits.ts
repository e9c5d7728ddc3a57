import { LIMIT_FORMS, LIMIT_NAMES, parseLimit, type StepLimits } from '../lib/step-limits.ts';
import { allWrong, quote, wrong, type Wrong } from './wrong.ts';

/** `cpu=10m,memory=2Gi,processes=512,files=1024`: any of them, each once. */
export function parseStepLimits(text: string): StepLimits | Wrong {
  const limits: StepLimits = {};
  const named = new Set<string>();
  const mistakes: Wrong[] = [];
  for (const part of text.split(',')) {
    const [word = '', value = ''] = part.trim().split(/\s*=\s*/, 2);
    const name = LIMIT_NAMES.find((one) => one === word);
    if (name === undefined || named.has(name)) {
      const what = name === undefined ? `names ${quote(word)}` : `names ${name} twice`;
      mistakes.push(wrong(what, `write it like cpu=10m,memory=2Gi,processes=512,files=1024`));
      continue;
    }
    named.add(name);
    const limit = parseLimit(name, value);
    if (limit === undefined) {
      mistakes.push(wrong(`has ${quote(value)} for ${name}`, `write ${LIMIT_FORMS[name].rule}`));
    } else limits[name] = limit;
  }
  return mistakes.length === 0 ? limits : allWrong(mistakes);
}
