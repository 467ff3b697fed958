import { DataSource } from 'typeorm';

type Listener = (dataSource: DataSource) => void;

const listeners = new Set<Listener>();
let wrapped = false;

/**
 * Calls `listener` with every DataSource that is initialised from now on; returns the way to stop. TypeORM itself tells
 * nobody, and a subscriber pushed before `initialize()` is lost, because that makes the list of subscribers anew.
 */
export function onInitialize(listener: Listener): () => void {
  wrapInitialize();
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function wrapInitialize(): void {
  if (wrapped) return;
  wrapped = true;
  // oxlint-disable-next-line typescript/unbound-method -- called below with the DataSource as `this`
  const { initialize } = DataSource.prototype;
  DataSource.prototype.initialize = async function (this: DataSource) {
    const result = await initialize.call(this);
    for (const listener of listeners) listener(this);
    return result;
  };
}
