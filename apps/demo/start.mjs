// `npm start`: the demo's system, staying up until Ctrl-C, for people who want to try things by hand.
import { runProgram } from './bootstrap.mjs';

await runProgram(async (onStop) => (await import('./stay.mjs')).stayUp({ onStop }));
