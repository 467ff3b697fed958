export interface Import {
  readonly specifier: string;
  readonly line: number;
  readonly typeOnly: boolean;
}
export function importsOf(text: string, fileName?: string): Import[];
export function violations(files: Readonly<Record<string, string>>): string[];
export function readSources(root: string): Record<string, string>;
