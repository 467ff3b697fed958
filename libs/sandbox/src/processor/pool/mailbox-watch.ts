import { Patience } from '../../protocol/patience.js';

/** A mailbox that can be looked into. */
export interface WatchedMailbox {
  /** Says whether it is being looked into. */
  watch(watched: boolean): void;
  /** Takes the message that is there, if any; false where there is none. */
  look(): boolean;
}

/** Milliseconds a mailbox is looked into after something was put there: most scripts come to their next call sooner. */
const WINDOW_MS = 0.1;

/**
 * Looks into the mailboxes of threads that have just been handed something, once per turn of the event loop, for as long
 * as their answer is likely to come soon. A thread that is being watched need not wake this process: that spares both
 * sides some 10 us, and on an idle machine the 30 to 60 us until a sleeping core has woken up.
 */
export class MailboxWatch {
  private readonly open = new Map<WatchedMailbox, number>();
  private readonly patience = new Patience(WINDOW_MS);
  private scheduled = false;

  /** Something was put into that mailbox. */
  begin(mailbox: WatchedMailbox): void {
    if (!this.patience.worthIt()) return;
    mailbox.watch(true);
    this.open.set(mailbox, performance.now() + this.patience.ms);
    this.schedule();
  }

  /** Nothing is to come from that mailbox any more. */
  end(mailbox: WatchedMailbox): void {
    if (this.open.delete(mailbox)) mailbox.watch(false);
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.lookAround();
      if (this.open.size > 0) this.schedule();
    });
  }

  private lookAround(): void {
    const now = performance.now();
    // a copy: a message that is taken may put the next one into the same mailbox
    for (const [mailbox, until] of [...this.open]) {
      if (mailbox.look()) this.patience.learn(true);
      else if (now > until) this.giveUp(mailbox);
    }
  }

  private giveUp(mailbox: WatchedMailbox): void {
    this.end(mailbox);
    // what was put there until just now did not wake anybody
    this.patience.learn(mailbox.look());
  }
}
