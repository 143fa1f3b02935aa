/** Whether this is Node (or what presents itself as Node), asked at run time and never on import. */
export function inNode(): boolean {
  const process = (globalThis as { process?: { versions?: { node?: string } } }).process;
  return typeof process?.versions?.node === 'string';
}

type Module = any;

/** Imports what only Node has. The name is a variable, so bundlers for browsers neither resolve nor bundle it. */
export function external(name: string): Promise<Module> {
  // runtime/build.mjs adds the comments that bundlers heed: esbuild drops them.
  return import(name);
}
