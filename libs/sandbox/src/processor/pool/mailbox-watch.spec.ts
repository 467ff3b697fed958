import { setImmediate as turn } from 'node:timers/promises';
import { MailboxWatch, type WatchedMailbox } from './mailbox-watch.js';

/** A mailbox with a thread that does not wake anybody who watches. */
class Box implements WatchedMailbox {
  watched = false;
  waiting = 0;
  taken = 0;
  woken = 0;

  watch(watched: boolean): void {
    this.watched = watched;
  }

  look(): boolean {
    if (this.waiting === 0) return false;
    this.waiting--;
    this.taken++;
    return true;
  }

  put(): void {
    this.waiting++;
    if (!this.watched) this.woken++;
  }
}

const turnsUntil = async (done: () => boolean): Promise<void> => {
  while (!done()) await turn();
};

describe('the watch over mailboxes', () => {
  it('takes a message without having been woken', async () => {
    const watch = new MailboxWatch();
    const box = new Box();
    watch.begin(box);
    expect(box.watched).toBe(true);
    box.put();
    await turnsUntil(() => box.taken === 1);
    expect(box.woken).toBe(0);
  });

  it('gives up after a while, and takes what came in until the very end', async () => {
    const watch = new MailboxWatch();
    const box = new Box();
    const stop = box.watch.bind(box);
    // the message comes after the last look, and before the thread could have seen that nobody looks any more
    box.watch = (watched) => {
      if (!watched) box.waiting++;
      stop(watched);
    };
    watch.begin(box);
    await turnsUntil(() => !box.watched);
    expect(box.taken).toBe(1);
  });

  it('lets itself be woken while threads take their time', async () => {
    const watch = new MailboxWatch();
    const box = new Box();
    let watched = 0;
    for (let n = 0; n < 64; n++) {
      watch.begin(box);
      if (box.watched) watched++;
      await turnsUntil(() => !box.watched);
    }
    expect(watched).toBeLessThan(8);
  });

  it('ends when the mailbox has nothing to give any more', async () => {
    const watch = new MailboxWatch();
    const box = new Box();
    watch.begin(box);
    watch.end(box);
    expect(box.watched).toBe(false);
    box.put();
    await turn();
    expect([box.taken, box.woken]).toEqual([0, 1]);
  });
});
