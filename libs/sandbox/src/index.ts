// The public API of nestjs-sandbox, grouped by what the reader wants to do.
export {};
