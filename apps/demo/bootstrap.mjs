// What a program of this folder does around its work. Only `node:` imports (workspace.mjs has no others): it runs on a
// clone where nothing is installed yet.
import { ensureBuilt, ensureInstalled } from '../../test/support/workspace.mjs';

/**
 * Installs and builds what is missing, then calls `main(onStop)`; what `main` gives to `onStop` is called at the end,
 * however it comes. Ends the process: with what `main` resolves to, 1 after an error, 130 after Ctrl-C.
 */
export async function runProgram(main) {
  let stop = async () => {};
  let interrupted = false;
  const end = async (code) => {
    await stop().catch((error) => console.error(`Stopping failed: ${describe(error)}`));
    process.exit(code);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // npm passes on a Ctrl-C that the terminal has sent us as well: the second one is not impatience.
      if (interrupted) return;
      interrupted = true;
      void end(signal === 'SIGINT' ? 130 : 143);
    });
  }
  try {
    await prepare();
    const code = await main((onStop) => (stop = onStop));
    if (!interrupted) await end(code ?? 0);
  } catch (error) {
    if (interrupted) return;
    console.error(`\n${describe(error)}`);
    await end(1);
  }
}

async function prepare() {
  const say = (text) => (when) => when === 'start' && console.log(text);
  await ensureInstalled(say('Installing packages with npm ci, once: about a minute ...'));
  await ensureBuilt(say('Building the library and the two apps, once: about 20 s ...'));
}

/** The messages of an error and its causes. */
function describe(error) {
  const lines = [];
  for (let at = error; at; at = at.cause) lines.push(lines.length === 0 ? at.message : `because: ${at.message}`);
  return lines.join('\n');
}
