// The last step of `npm run build`: see `ensureBuilt`.
import { stampBuild } from './workspace.mjs';

stampBuild();
