// What the demo shows: colours and movement where somebody watches a terminal, plain lines elsewhere.
const { env, stdout } = process;
const live = Boolean(stdout.isTTY) && env.TERM !== 'dumb';
const colours = env.FORCE_COLOR ? env.FORCE_COLOR !== '0' : live && !env.NO_COLOR;

const paint = (open, close) => (text) => (colours ? `\u001b[${open}m${text}\u001b[${close}m` : String(text));

export const bold = paint(1, 22);
export const dim = paint(2, 22);
export const green = paint(32, 39);
export const red = paint(31, 39);
export const cyan = paint(36, 39);

/** Cut to what fits beside `taken` columns of the terminal's width. */
export function fit(text, taken = 0) {
  const room = (stdout.columns ?? 100) - taken;
  return text.length > room ? `${text.slice(0, room - 1)}…` : text;
}

/** One line. */
export const line = (text = '') => void stdout.write(`${text}\n`);

/** The heading of a step. */
export const heading = (number, text) => line(`\n${bold(`${number}  ${text}`)}`);

/** Shows that work has started, and when it has ended one line with what came of it and how long it took. */
export async function task(label, work) {
  const begin = performance.now();
  const start = `   ${label.padEnd(16)}`;
  if (live) stdout.write(dim(`${start}...`));
  const detail = await work();
  if (live) stdout.write('\r\u001b[2K');
  line(`${start}${detail.padEnd(46)} ${dim(seconds(performance.now() - begin).padStart(7))}`);
}

/** A bar for each label, all in one line's height each; `set(label, part, text)` with the part done from 0 to 1. */
export function bars(labels) {
  const rows = new Map(labels.map((label) => [label, { part: 0, text: '' }]));
  let drawn = false;
  const draw = () => {
    if (live && drawn) stdout.write(`\u001b[${labels.length}A`);
    for (const [label, { part, text }] of rows) {
      const cells = Math.round(part * 24);
      line(`   ${label.padEnd(8)}${cyan('█'.repeat(cells))}${dim('░'.repeat(24 - cells))}  ${text}`);
    }
    drawn = true;
  };
  return {
    set(label, part, text) {
      rows.set(label, { part, text });
      if (live) draw();
    },
    /** Where nobody watches, this is the only time the bars are written. */
    end: () => void (live || draw()),
  };
}

/** 1.2 s */
export const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

/** 12,345.60 */
export const money = (amount) => amount.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
