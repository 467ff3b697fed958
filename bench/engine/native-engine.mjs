// Takes the place of the QuickJS engine in a copy of the library: the script is a function of the thread itself, with the
// same calls over the same bridge, each crossing at once, and no sandbox.
const functions = new Map();

export function createQuickJsEngine() {
  return {
    id: 'quickjs',
    load({ hash, code }) {
      // oxlint-disable-next-line typescript/no-implied-eval -- running the script without a sandbox is the point here
      if (!functions.has(hash)) functions.set(hash, new Function('context', 'setResult', 'log', code));
    },
    forget: (hash) => void functions.delete(hash),
    run,
  };
}

function run(engineRun) {
  const context = JSON.parse(engineRun.input);
  let result;
  const call = (method) => (argument) => {
    const reply = JSON.parse(engineRun.call(JSON.stringify({ method, args: [argument], deferred: [] })));
    if (!reply.ok) throw new Error(reply.error.message);
    return reply.value;
  };
  context.query = call('query');
  context.execute = call('execute');
  context.sendEmail = call('sendEmail');
  const setResult = (value) => (result = value);
  functions.get(engineRun.script.hash)(context, setResult, () => undefined);
  return { outcome: 'ok', value: JSON.stringify(result) };
}
