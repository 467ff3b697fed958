import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { CompilerClosedError, CompilerUnavailableError } from '../../errors/compiler.errors.js';
import type { CompiledSource } from './compile-script.js';
import type { CompileRequest } from './script-compiler.js';
import { SyntaxProblem } from './syntax-problem.js';

/** What one request came to. `retry`: the source may be innocent (a slow machine), so the result must not be cached. */
export interface ThreadAnswer {
  readonly result: CompiledSource;
  readonly retry: boolean;
}

/** Milliseconds a thread may take to load the TypeScript package (0.3 s on an idle machine). */
const START_TIMEOUT_MS = 60_000;
/** TypeScript needs 60 MB for itself; a source of 100 KiB adds at most about the same. */
const MEMORY_MB = 384;

/**
 * The thread compilers work in: one source at a time, started with the first request, ended and replaced when a source
 * exceeds the deadline or the memory. It sees no environment, and keeps no process alive while idle.
 */
export class CompilerThread {
  private thread: Worker | undefined;
  private queue: Promise<unknown> = Promise.resolve();
  private closed = false;

  constructor(private readonly timeoutMs: number) {}

  compile(request: CompileRequest): Promise<ThreadAnswer> {
    const answer = this.queue.then(() => this.run(request));
    this.queue = answer.catch(() => undefined);
    return answer;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.drop();
  }

  private async run(request: CompileRequest): Promise<ThreadAnswer> {
    if (this.closed) throw new CompilerClosedError();
    const thread = (this.thread ??= await this.start());
    thread.ref();
    thread.postMessage(request);
    const result = await firstMessage<CompiledSource>(thread, this.timeoutMs);
    if ('message' in result) {
      thread.unref();
      return { result: result.message, retry: false };
    }
    await this.drop();
    if (this.closed) throw new CompilerClosedError();
    return { result: tooMuch(request, result.failure, this.timeoutMs), retry: true };
  }

  private async start(): Promise<Worker> {
    const file = threadFile();
    const thread = new Worker(file, {
      env: {},
      argv: [],
      execArgv: [],
      stdin: false,
      resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB, stackSizeMb: 4 },
    });
    // A dead thread is reported to whoever waits for it; without any listener it would end the process.
    thread.on('error', () => undefined);
    const ready = await firstMessage<'ready'>(thread, START_TIMEOUT_MS);
    if ('message' in ready) return thread;
    await thread.terminate();
    throw new CompilerUnavailableError(fileURLToPath(file), ready.failure);
  }

  private async drop(): Promise<void> {
    const { thread } = this;
    this.thread = undefined;
    await thread?.terminate();
  }
}

/** Threads need real files: from TypeScript sources (tests) the built ones are taken. */
function threadFile(): URL {
  const beside = new URL('./compiler.thread.js', import.meta.url);
  if (existsSync(beside)) return beside;
  return new URL(beside.href.replace('/libs/sandbox/src/', '/libs/sandbox/dist/esm/'));
}

type FirstMessage<T> = { readonly message: T } | { readonly failure: unknown };

/** The next message of a thread, or why there will be none. */
function firstMessage<T>(thread: Worker, timeoutMs: number): Promise<FirstMessage<T>> {
  return new Promise((resolve) => {
    const finish = (result: FirstMessage<T>): void => {
      clearTimeout(timer);
      thread.off('message', onMessage).off('error', onFailure).off('exit', onFailure);
      resolve(result);
    };
    const onMessage = (message: T): void => finish({ message });
    const onFailure = (failure: unknown): void => finish({ failure });
    const timer = setTimeout(() => finish({ failure: 'deadline' }), timeoutMs);
    thread.on('message', onMessage).on('error', onFailure).on('exit', onFailure);
  });
}

function tooMuch(request: CompileRequest, failure: unknown, timeoutMs: number): CompiledSource {
  const message =
    failure === 'deadline'
      ? `The source takes longer than ${timeoutMs} ms to read: make it smaller, or nest it less.`
      : 'The source takes more memory to read than there is: make it smaller, or nest it less.';
  return { ok: false, error: new SyntaxProblem(message, 0).explain(request.source) };
}
