import type { IncomingMessage } from 'node:http';
import type { Clock } from '../lib/clock.ts';
import { RetryableError } from '../lib/errors.ts';
import type { BodyCheck } from '../sources/contract.ts';
import {
  BODY_LIMITS,
  createBodyRoom,
  tooLarge,
  type BodyLimits,
  type BodyRoom,
} from './body-room.ts';
import { ProblemError } from './problem.ts';
import { openSpool, type Spool } from './spool.ts';

/** Reads a whole body that passes the check; one that is large is held in a file until then. */
export type ReadBody = (request: IncomingMessage, check: BodyCheck) => Promise<Buffer>;

/**
 * The reader stops at the limit while it reads, so a missing or wrong Content-Length changes nothing. It throws ProblemError 413 (too
 * large), 408 (too slow), 429 (too much at once) or 400 (the sender hung up or lied about the length), and the check's refusal.
 */
export function createReadBody(deps: {
  clock: Pick<Clock, 'elapsed' | 'sleep'>;
  /** Where files may be made. */
  directory: string;
  limits?: BodyLimits;
}): ReadBody {
  const limits = deps.limits ?? BODY_LIMITS;
  const room = createBodyRoom(deps.clock, limits);
  return async (request, check) => {
    if (Number(request.headers['content-length'] ?? 0) > limits.each) throw tooLarge(limits.each);
    const kept = createKept(deps.directory, limits.small, check);
    try {
      await collect(request, room, (chunk) => kept.add(chunk));
      return await kept.verified();
    } finally {
      await kept.close();
    }
  };
}

/**
 * Hands all that comes to `keep`, and reads no further while that takes time. Rejects, and hands on nothing more, when the connection
 * ends before the body, when the room has none left for it, or as `keep` does.
 */
function collect(
  request: IncomingMessage,
  room: BodyRoom,
  keep: (chunk: Buffer) => Promise<void> | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    let keeping: Promise<void> | undefined;
    const place = room.enter(refuse);
    // What ends early is closed without an end, and may fail besides.
    const broken = (cause?: Error) => refuse(brokenOff(cause));
    request.on('data', take).once('end', finish).on('error', broken).once('close', broken);

    function take(chunk: Buffer): void {
      place.take(chunk.length);
      if (isOver) return;
      keeping = keep(chunk);
      if (keeping === undefined) return;
      request.pause();
      place.holdUp(true);
      keeping = keeping.then(goOn, refuse);
    }

    function goOn(): void {
      if (isOver) return;
      place.holdUp(false);
      request.resume();
    }

    function finish(): void {
      request.off('close', broken);
      if (keeping === undefined) close();
      else void keeping.then(close);
    }

    function close(): void {
      if (isOver) return;
      isOver = true;
      place.leave();
      resolve();
    }

    function refuse(error: unknown): void {
      if (isOver) return;
      isOver = true;
      request.off('data', take);
      request.off('end', finish).off('close', broken);
      request.pause();
      place.leave();
      reject(error);
    }
  });
}

/** A body in memory, until it is larger than `small` bytes: then in a file, and checked piece by piece. */
function createKept(directory: string, small: number, check: BodyCheck) {
  let chunks: Buffer[] = [];
  let size = 0;
  let spool: Spool | undefined;
  let writing: Promise<void> | undefined;

  async function write(): Promise<void> {
    const waiting = chunks;
    chunks = [];
    try {
      spool ??= await openSpool(directory);
      for (const chunk of waiting) {
        check.update(chunk);
        await spool.write(chunk);
      }
    } catch (error) {
      throw new RetryableError('body-not-kept', 'a large body could not be written to disk', {
        cause: error,
      });
    }
  }

  return {
    add(chunk: Buffer): Promise<void> | undefined {
      chunks.push(chunk);
      size += chunk.length;
      if (size <= small) return undefined;
      writing = write();
      return writing;
    },
    async verified() {
      if (spool !== undefined) {
        if (check.matches()) return await spool.read();
        throw check.refusal();
      }
      const [only] = chunks;
      const body = only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks);
      // The request, which lives until its answer, holds this.
      chunks = [];
      if (await check.whole(body)) return body;
      throw check.refusal();
    },
    async close() {
      // A body may be refused while its file is being opened.
      await writing?.catch(() => undefined);
      await spool?.close();
    },
  };
}

function brokenOff(cause: Error | undefined): ProblemError {
  return new ProblemError(400, 'body-unreadable', 'the request ended before its body did', {
    cause,
    headers: { Connection: 'close' },
  });
}
