// `npm run demo`: the article's example, whole, for two tenants, on a machine with nothing but Node.
//   npm run demo -- --json   the last line is one JSON object
import { runProgram } from './bootstrap.mjs';

const json = process.argv.includes('--json');
await runProgram(async (onStop) => (await import('./story.mjs')).tellStory({ onStop, json }));
