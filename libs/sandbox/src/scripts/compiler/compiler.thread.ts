import { parentPort } from 'node:worker_threads';
import { compileSource } from './compile-script.js';
import type { CompileRequest } from './script-compiler.js';

/** The first message says that the thread stands; after that each request is answered by one `CompiledSource`. */
parentPort!.postMessage('ready');
parentPort!.on('message', (request: CompileRequest) => parentPort!.postMessage(compileSource(request)));
