import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { errorCode, TerminalError } from '../lib/errors.ts';

const MAX_BYTES = 1024 * 1024;
const MAX_OUTPUTS = 100;
const NAME = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** What a step wrote into its output file cannot be read: the step's mistake. The message never shows a value. */
export class OutputsError extends TerminalError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super('step-outputs', message, {
      ...options,
      hint: 'write one "name=value" a line, or "name<<EOF", the lines of the value, and "EOF"',
    });
  }
}

/**
 * The outputs that a step wrote into the file MAINSHEET_OUTPUT, in GitHub's format
 * (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-output-parameter):
 * `name=value` lines and, for values of several lines, `name<<DELIMITER` up to a line that is the delimiter alone.
 * Empty lines mean nothing, the last value of a name counts, and a file that is gone means no outputs.
 * At most 1 MiB and 100 outputs; the path is not followed when the step put a link there.
 * Throws OutputsError for anything else.
 */
export async function readOutputs(path: string): Promise<Record<string, string>> {
  const text = await readText(path);
  const lines = text.split(/\r?\n/);
  const outputs = new Map<string, string>();
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    if (line === '') continue;
    const [, name, sign, rest = ''] = /^(.*?)(=|<<)(.*)$/s.exec(line) ?? [];
    if (name === undefined || !NAME.test(name)) {
      throw new OutputsError(
        `line ${index + 1} of the outputs is neither name=value nor name<<DELIMITER`,
      );
    }
    // In a map of JavaScript's these would be something else than a value.
    if (name in Object.prototype || name === 'prototype') {
      throw new OutputsError(`line ${index + 1} of the outputs: no output can be called "${name}"`);
    }
    if (sign === '=') {
      outputs.set(name, rest);
    } else {
      const end = rest === '' ? -1 : lines.indexOf(rest, index + 1);
      if (end === -1) {
        const trouble = rest === '' ? 'is empty' : 'does not stand alone on a later line';
        throw new OutputsError(
          `line ${index + 1} of the outputs: the value of "${name}" never ends: its delimiter ${trouble}`,
        );
      }
      outputs.set(name, lines.slice(index + 1, end).join('\n'));
      index = end;
    }
    if (outputs.size > MAX_OUTPUTS) {
      throw new OutputsError(`the step has more than ${MAX_OUTPUTS} outputs`);
    }
  }
  return Object.fromEntries(outputs);
}

/** The file belongs to the step: it may be a link to somewhere else, a pipe that never ends, or far too large. */
async function readText(path: string): Promise<string> {
  let file: FileHandle;
  try {
    // Without O_NONBLOCK a named pipe would hold up the opening of it for ever.
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return '';
    throw new OutputsError('the file of the outputs could not be opened: the step changed it', {
      cause: error,
    });
  }
  try {
    const status = await file.stat();
    if (!status.isFile()) throw new OutputsError('the outputs are not in a regular file any more');
    // What comes in after this, from a process that escaped, is not read.
    const buffer = Buffer.alloc(Math.min(status.size, MAX_BYTES) + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) break;
    }
    if (length > MAX_BYTES) throw new OutputsError(`the outputs have more than ${MAX_BYTES} bytes`);
    return buffer.toString('utf8', 0, length);
  } finally {
    await file.close();
  }
}
