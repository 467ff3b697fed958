/** The little that the api uses of Express's request (whose types are not part of Nest). */
export interface HttpRequest {
  header(name: string): string | undefined;
}

/** The same of its response. */
export interface HttpResponse {
  readonly headersSent: boolean;
  setHeader(name: string, value: string): void;
  status(code: number): HttpResponse;
  json(body: unknown): void;
}
