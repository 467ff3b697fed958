// Takes the place of the QuickJS engine in a copy of the library: the script is a function of the thread itself, with the
// same calls, the same texts across the same bridge, and no sandbox at all. The floor that sandboxing is measured against.
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
  const pending = [];
  let result;
  context.query = (query) => {
    const request = { method: 'query', args: [query], deferred: pending.splice(0) };
    const reply = JSON.parse(engineRun.call(JSON.stringify(request)));
    if (!reply.ok) throw new Error(reply.error.message);
    return reply.value;
  };
  context.execute = (requests) => void pending.push({ method: 'execute', args: [requests] });
  context.sendEmail = (mail) => pending.push({ method: 'sendEmail', args: [mail] });
  functions.get(engineRun.script.hash)(
    context,
    (value) => (result = value),
    () => undefined,
  );
  return { outcome: 'ok', value: JSON.stringify(result), deferred: JSON.stringify(pending) };
}
