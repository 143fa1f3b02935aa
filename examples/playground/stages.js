// What the compiler tells of its work, in a visitor's words.
import { megabytes } from './page.js';

/** By the package's names of its stages. */
export const stages = {
  reading: 'Reading the model',
  passes: 'Simplifying the model',
  weights: 'Looking at the weights',
  'reading weights': 'Looking at the weights',
  measuring: 'Measuring what each width costs',
  calibrating: 'Calibrating',
  tuning: 'Tuning to your data',
  checking: 'Comparing with the model',
  fusion: 'Joining steps',
  lowering: 'Choosing kernels',
  packing: 'Packing the weights',
  quantizing: 'Packing the weights',
  writing: 'Writing the module',
};

/** { share: 0..1, or null of what has no length yet, text } */
export function progressOf({ stage, done, count, unit }) {
  const text = stages[stage] ?? stage;
  if (count === 0) return { share: null, text };
  const amount = unit === 'bytes' ? megabytes : String;
  return { share: done / count, text: `${text}: ${amount(done)} of ${amount(count)}` };
}
