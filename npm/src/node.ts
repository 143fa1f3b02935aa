// subbyte in Node.
import {
  type ConvertResult,
  type ConvertRunOptions,
  convertWith,
  type FixedOptions,
  type Inspection,
  inspectWith,
  type ModelSource,
  type RunOptions,
} from './api.js';
import { nodeEngine } from './node_engine.js';

export * from './api.js';

/** Converts a model: to files on the disk where `output` names the module, else to files that are handed back. */
export function convert(
  source: ModelSource,
  options: ConvertRunOptions = {},
): Promise<ConvertResult> {
  return convertWith(nodeEngine, source, options);
}

/** What is in a model, and what is not supported. */
export function inspect(
  source: ModelSource,
  options: FixedOptions & RunOptions = {},
): Promise<Inspection> {
  return inspectWith(nodeEngine, source, options);
}
