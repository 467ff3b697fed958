// How hostile programs may end.
export const cpu = ['exceededCpu'];
export const memory = ['exceededMemory', 'exceededCpu', 'exception'];
export const harmless = ['ok', 'exception', 'syntaxError', 'exceededCpu', 'exceededMemory', 'exceededOutput'];
export const failed = ['exception', 'syntaxError', 'exceededMemory', 'exceededCpu'];
export const value = (expected) => ({ value: expected });
