import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  endOf,
  leadsTo,
  NO_COMMIT,
  partOf,
  wasLeft,
  type Move,
  type ToldPush,
} from '../../src/model/push-history.ts';

/** A branch, what was told of it, and how often each commit would be deployed. */
function createBranch(start = 'X') {
  let head = start;
  let seq = 0;
  let seen = { sha: start, seq: 0 };
  const pushes: ToldPush[] = [];
  const runs: string[] = [];
  const history = () => ({ seen, pushes });
  const add = (move: Move, found: boolean, toldBy: string | undefined) => {
    seq += 1;
    pushes.push({ ...move, seq, delivery: `d${seq}`, found, toldBy, seenAt: seq });
    if (toldBy === undefined) runs.push(move.after);
  };
  return {
    history,
    runs,
    head: () => head,
    /** Pushes, and answers with the delivery that GitHub will send. */
    push(after: string): Move {
      const move = { before: head, after };
      head = after;
      return move;
    },
    tell(move: Move) {
      add(move, false, partOf(history(), move, head)?.delivery);
    },
    look() {
      if (head === seen.sha) return;
      const isTold = leadsTo(history(), head);
      const newest = pushes.findLast(({ after }) => after === head)?.seq ?? seq;
      if (!isTold) add({ before: endOf(history()) ?? NO_COMMIT, after: head }, true, undefined);
      seen = { sha: head, seq: isTold ? newest : seq };
    },
  };
}

type Branch = ReturnType<typeof createBranch>;

const stories: [string, (branch: Branch) => void, string[]][] = [
  [
    'pushes that looks found one by one are not told again, in whichever order they are told late',
    (branch) => {
      const a = branch.push('A');
      branch.look();
      const b = branch.push('B');
      branch.look();
      branch.tell(b);
      branch.tell(a);
    },
    ['A', 'B'],
  ],
  [
    'of two pushes that a look saw as one only the last has its run',
    (branch) => {
      const moves = [branch.push('A'), branch.push('B')];
      branch.look();
      for (const move of moves) branch.tell(move);
    },
    ['B'],
  ],
  [
    'so too when they are told the other way round, and the branch has moved on meanwhile',
    (branch) => {
      const [a, b] = [branch.push('A'), branch.push('B')];
      branch.look();
      branch.tell(branch.push('C'));
      branch.tell(b);
      branch.tell(a);
    },
    ['B', 'C'],
  ],
  [
    'a branch that is forced back is deployed again, although the deliveries of what was found are still to come',
    (branch) => {
      const a = branch.push('A');
      branch.look();
      const b = branch.push('B');
      branch.look();
      branch.tell(branch.push('A'));
      branch.tell(a);
      branch.tell(b);
    },
    ['A', 'B', 'A'],
  ],
  [
    'so too when a look found that as well',
    (branch) => {
      const moves = ['A', 'B', 'A', 'B'].map((to) => {
        const move = branch.push(to);
        branch.look();
        return move;
      });
      for (const move of moves.toReversed()) branch.tell(move);
    },
    ['A', 'B', 'A', 'B'],
  ],
  [
    'a commit that a look passed over is deployed when the branch is forced back to it',
    (branch) => {
      const [a, b] = [branch.push('A'), branch.push('B')];
      branch.look();
      branch.tell(branch.push('A'));
      branch.tell(a);
      branch.tell(b);
    },
    ['B', 'A'],
  ],
  [
    'a push made twice is deployed twice, although the first time was never told of but by a look',
    (branch) => {
      branch.push('A');
      branch.look();
      branch.tell(branch.push('X'));
      branch.tell(branch.push('A'));
    },
    ['A', 'X', 'A'],
  ],
  [
    'what was told is not found, even when the next push was told before it',
    (branch) => {
      const [a, b] = [branch.push('A'), branch.push('B')];
      branch.tell(b);
      branch.look();
      branch.tell(a);
    },
    ['B', 'A'],
  ],
  [
    'a look goes on from where deliveries have led',
    (branch) => {
      branch.tell(branch.push('A'));
      const b = branch.push('B');
      branch.look();
      branch.tell(b);
      assert.equal(branch.history().pushes.find(({ found }) => found)?.before, 'A');
    },
    ['A', 'B'],
  ],
  [
    'a branch that was deleted and made again where it was is deployed again',
    (branch) => {
      const a = branch.push('A');
      branch.look();
      branch.tell(branch.push(NO_COMMIT));
      branch.tell(branch.push('A'));
      branch.tell(a);
    },
    ['A', NO_COMMIT, 'A'],
  ],
];
for (const [name, tell, runs] of stories) {
  test(name, () => {
    const branch = createBranch();
    tell(branch);
    assert.deepEqual(branch.runs, runs);
  });
}

test('a ref that was never looked at has only pushes that stand for themselves', () => {
  assert.equal(
    partOf({ seen: undefined, pushes: [] }, { before: 'X', after: 'A' }, 'A'),
    undefined,
  );
});

test('a push was overtaken when the ref is known to have left its commit, but not to have come back', () => {
  const branch = createBranch();
  const [a, b] = [branch.push('A'), branch.push('B')];
  branch.tell(b);
  assert.equal(wasLeft(branch.history(), a), true);
  branch.tell(a);
  assert.equal(wasLeft(branch.history(), branch.push('A')), false);
});

test('a push back to where the ref was is not overtaken, however it was told that it had left there', () => {
  const told = createBranch();
  told.tell(told.push('A'));
  assert.equal(wasLeft(told.history(), told.push('X')), false);

  const found = createBranch();
  const a = found.push('A');
  found.look();
  const back = found.push('X');
  assert.equal(wasLeft(found.history(), back), false);
  found.tell(a);
  assert.equal(wasLeft(found.history(), back), false);

  const { pushes } = told.history();
  assert.equal(wasLeft({ seen: undefined, pushes }, { before: 'A', after: 'X' }), false);
});

test('of pushes that a look saw as one, those are overtaken whose commit is known to have been left', () => {
  const branch = createBranch();
  const [a, b] = [branch.push('A'), branch.push('B')];
  branch.look();
  branch.tell(b);
  assert.equal(wasLeft(branch.history(), a), true);
});

const count = (all: readonly string[], sha: string) => all.filter((one) => one === sha).length;
const walk = fc.array(fc.constantFrom('A', 'B', 'C', 'X'), { minLength: 1, maxLength: 12 });

test('when a look follows each push, each push has one run, however late and mixed up it is told', () => {
  fc.assert(
    fc.property(walk, fc.array(fc.nat(), { maxLength: 24 }), (commits, when) => {
      const branch = createBranch();
      const late: Move[] = [];
      const pushed: string[] = [];
      const hear = () => {
        const [move] = late.splice((when.shift() ?? 0) % late.length, 1);
        if (move !== undefined) branch.tell(move);
      };
      for (const commit of commits) {
        if (commit === branch.head()) continue;
        late.push(branch.push(commit));
        pushed.push(commit);
        branch.look();
        if (late.length > 0 && (when.shift() ?? 0) % 2 === 1) hear();
      }
      while (late.length > 0) hear();
      assert.deepEqual(branch.runs, pushed);
    }),
    { numRuns: 2000 },
  );
});

test('when each push is told in time, each has one run, whenever a look comes', () => {
  fc.assert(
    fc.property(walk, fc.array(fc.nat(2)), (commits, looks) => {
      const branch = createBranch();
      const pushed: string[] = [];
      for (const [index, commit] of commits.entries()) {
        if (commit === branch.head()) continue;
        const move = branch.push(commit);
        pushed.push(commit);
        if (looks[index] === 1) branch.look();
        branch.tell(move);
        if (looks[index] === 2) branch.look();
      }
      assert.deepEqual(branch.runs, pushed);
    }),
    { numRuns: 2000 },
  );
});

test('no commit has more runs than pushes, and the last push has its run, whatever looks saw and whatever came late', () => {
  const commits = fc.shuffledSubarray(['A', 'B', 'C', 'D', 'E', 'F', 'G'], { minLength: 1 });
  const turns = fc.array(fc.record({ look: fc.boolean(), hear: fc.nat(3), which: fc.nat() }));
  fc.assert(
    fc.property(commits, turns, (way, plan) => {
      const branch = createBranch();
      const late: Move[] = [];
      const hear = (which: number) => {
        const [move] = late.splice(which % late.length, 1);
        if (move !== undefined) branch.tell(move);
      };
      for (const [index, commit] of way.entries()) {
        late.push(branch.push(commit));
        const turn = plan[index];
        if (turn?.look) branch.look();
        for (let left = turn?.hear ?? 0; left > 0 && late.length > 0; left -= 1)
          hear(turn?.which ?? 0);
      }
      branch.look();
      for (const [index] of way.entries()) if (late.length > 0) hear(plan[index]?.which ?? 0);
      for (const commit of way) {
        assert.ok(count(branch.runs, commit) <= 1, `${commit} has ${branch.runs.join()}`);
      }
      assert.equal(count(branch.runs, way.at(-1) ?? ''), 1);
    }),
    { numRuns: 5000 },
  );
});
