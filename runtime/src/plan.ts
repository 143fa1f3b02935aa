// The plan format of docs/plan.md. A number that stands for a size is an index into `exprs`.

import type { DType } from '../module';

export type { DType };

export type BinaryOp = '+' | '*' | '//' | '%' | 'min' | 'max' | '==' | '<';

export type ExprNode =
  | number
  | ['s', number]
  | ['first']
  | ['rows']
  | [BinaryOp, number, number]
  | ['?', number, number, number];

/** Bound from a dimension of an input (`axis`) or one value of it (`element`). */
export interface InputSymbol {
  name: string;
  input: number;
  axis?: number;
  element?: number;
}

/**
 * Bound while a run is under way: a word of a tensor (the first where `word` is absent), read when the segment that lists it
 * has run, or the turns of a segment. Until then it counts as `most`, or as 1 where there is no bound.
 */
export interface CountedSymbol {
  name: string;
  tensor?: number;
  word?: number;
  most?: number;
}

export type PlanSymbol = InputSymbol | CountedSymbol;

/** Steps, or segments, that follow each other, and the symbols that are read back after them. */
export interface PlanSegment {
  /** It is skipped where this is 0. */
  when?: number;
  /** How often it runs. */
  repeat?: number;
  /** The symbol of the turns: in them, from 0 on, which it is; after them how many there were. */
  turn?: number;
  /** Where this is 0 after a turn, it was the last. */
  while?: number;
  /** It runs when the model is loaded, and no more. */
  once?: boolean;
  steps?: number;
  segments?: PlanSegment[];
  symbols?: number[];
}

export interface PlanConstraint {
  condition: number;
  message: string;
}

export interface PlanInput {
  name: string;
  dtype: DType;
  dims: (number | string)[];
  shape: number[];
  tensor?: number;
  /** The least and the greatest value that it may have, where that is known. */
  range?: [number, number];
}

/** From a tensor, from an input passed through, or from expressions: exactly one of the three. */
export interface PlanOutput {
  name: string;
  dtype: DType;
  dims: (number | string)[];
  shape: number[];
  tensor?: number;
  input?: number;
  /** Expressions, or the digits of constants beyond 2^53. */
  content?: (number | string)[];
}

export interface PlanTensor {
  /** Elements. */
  count: number;
  /** Bytes of an element; 4 where it is absent. */
  width?: number;
  first: number;
  last: number;
}

export interface PlanFile {
  name: string;
  bytes: number;
  sha256: string;
  chunks: string[];
}

export interface PlanWeight {
  file: number;
  offset: number;
  bytes: number;
  rows?: number;
  row_stride?: number;
  joined?: boolean;
}

export interface PlanPipeline {
  pieces: number[];
  bindings: string;
}

export type PlanBinding = { tensor: number } | { weight: number; span?: number };

export interface PlanForm {
  when?: number;
  features?: string[];
  limits?: Record<string, number>;
  pipeline: number;
  workgroups: number;
}

export interface PlanStep {
  name: string;
  /** What the device must have, or there is no such step. */
  device?: { features?: string[]; limits?: Record<string, number> };
  params: number[];
  bindings: PlanBinding[];
  split?: { weights: number[]; rows: number };
  forms: PlanForm[];
}

export interface Plan {
  /** The word where kernels leave the number (from 1 on) of a node whose integers left 32 bits. */
  watch?: { tensor: number; nodes: string[] };
  symbols: PlanSymbol[];
  exprs: ExprNode[];
  constraints: PlanConstraint[];
  inputs: PlanInput[];
  outputs: PlanOutput[];
  tensors: PlanTensor[];
  files: PlanFile[];
  weights: PlanWeight[];
  pieces: string[];
  pipelines: PlanPipeline[];
  steps: PlanStep[];
  /** Absent where all steps are one. */
  segments?: PlanSegment[];
}

export function isCounted(symbol: PlanSymbol): symbol is CountedSymbol {
  return !('input' in symbol);
}

export function widthOf(tensor: PlanTensor): number {
  return tensor.width ?? WORD;
}

/** Bytes of an element on the GPU of an input or output; of one that no step touches, those of a 32-bit word. */
export function portWidth(plan: Plan, { tensor }: { tensor?: number }): number {
  return tensor === undefined ? WORD : widthOf(plan.tensors[tensor]!);
}

/** Bytes of what the GPU computes with where a tensor says nothing else. */
export const WORD = 4;

/** Bytes that each entry of a file's `chunks` is the SHA-256 of; the last chunk may be shorter. */
export const CHUNK_BYTES = 4 * 1024 * 1024;
