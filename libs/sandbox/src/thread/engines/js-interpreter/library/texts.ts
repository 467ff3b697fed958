/** The host shares the characters of slices from this length on. */
const SHARED = 13;
/** Parents below this are not worth a copy. */
const LARGE = 1_024;

/** Holds what the copy was read for: without a use, the read would be optimised away, and with it the copy. */
let read = 0;

/**
 * A part of a text, as a text of its own where the part is small: the host's slices keep the whole text alive, and a run
 * that cuts 30 characters from each of a thousand large answers would hold them all.
 */
export function ownText(part: string, whole: string): string {
  if (part.length < SHARED || whole.length < LARGE || part.length * 8 > whole.length) return part;
  // A joined text is copied together when one of its characters is read.
  const joined = part.slice(0, 1) + part.slice(1);
  read ^= joined.charCodeAt(0);
  return joined;
}
