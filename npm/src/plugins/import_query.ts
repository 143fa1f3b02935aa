// "./model.onnx?subbyte&precision=4bit": what an import asks for.
import * as path from 'node:path';

/** An import of a model, with options of `subbyte convert` as they stand on its command line. */
export interface ModelImport {
  file: string;
  args: string[];
}

/** Options that name files that are written, or read from elsewhere, or that a plugin decides. */
const reserved = new Set([
  'output',
  'source',
  'source-format',
  'target-format',
  'force',
  'log-file',
  'log-level',
  'report',
  'checkpoint',
  'calibration',
  'json',
  'help',
  'version',
]);

/** Of a path beside the model. */
const rules = '--mixed-precision-config=';

/** The command line of an import: paths in it are from the model's folder on. */
export function argumentsOf({ file, args }: ModelImport): string[] {
  return args.map((arg) =>
    arg.startsWith(rules) ? rules + path.resolve(path.dirname(file), arg.slice(rules.length)) : arg,
  );
}

/** Undefined where the import asks for no conversion. Throws what is wrong with it. */
export function parseImport(id: string): ModelImport | undefined {
  const mark = id.indexOf('?');
  if (mark < 0) return undefined;
  const parameters = new URLSearchParams(id.slice(mark + 1));
  if (!parameters.has('subbyte')) return undefined;
  const args: string[] = [];
  for (const [name, value] of parameters) {
    // Vite marks what it asks for anew with ?t= and its own with ?v=.
    if (name === 'subbyte' || name === 't' || name === 'v' || name === 'import') continue;
    const allowed =
      /^[a-z][a-z-]*$/.test(name) &&
      (!reserved.has(name) || (name === 'calibration' && value === 'none'));
    if (!allowed)
      throw new Error(
        `${id}: '${name}' cannot stand in an import; what can are the options of ` +
          '`subbyte convert` that name no file, such as precision=4bit',
      );
    args.push(value === '' ? `--${name}` : `--${name}=${value}`);
  }
  return { file: id.slice(0, mark), args };
}
