// What an operator asks a process of the shop; apart, so that only processes that answer over HTTP load it.

export { OperationsModule } from './operations.module.js';
