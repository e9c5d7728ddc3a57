import { LIMIT_FORMS, LIMIT_NAMES, parseLimit, type StepLimits } from '../lib/step-limits.ts';
import { quote, wrong, type Wrong } from './wrong.ts';

/** `cpu=10m,memory=2Gi,processes=512,files=1024`: any of them, each once. */
export function parseStepLimits(text: string): StepLimits | Wrong {
  const limits: StepLimits = {};
  for (const part of text.split(',')) {
    const [word = '', value = ''] = part.trim().split(/\s*=\s*/, 2);
    const name = LIMIT_NAMES.find((one) => one === word);
    if (name === undefined || limits[name] !== undefined) {
      const what = name === undefined ? `names ${quote(word)}` : `names ${name} twice`;
      return wrong(what, `write it like cpu=10m,memory=2Gi,processes=512,files=1024`);
    }
    const limit = parseLimit(name, value);
    if (limit === undefined) {
      return wrong(`has ${quote(value)} for ${name}`, `write ${LIMIT_FORMS[name].rule}`);
    }
    limits[name] = limit;
  }
  return limits;
}
