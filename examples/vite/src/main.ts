import { load } from './line-direction.onnx?subbyte&precision=4bit';

import { drawLine, toInput } from './line';

function element<Type extends HTMLElement>(id: string, type: new () => Type): Type {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no #${id}`);
  return found;
}

const text = element('text', HTMLInputElement);
const turned = element('turned', HTMLInputElement);
const canvas = element('line', HTMLCanvasElement);
const answer = element('answer', HTMLElement);

/** Sets the page up; `run` is called one at a time, with the newest text. */
async function start(): Promise<void> {
  const model = await load({
    onProgress: ({ phase, loaded, total }) => {
      answer.textContent = `${phase} ${Math.round((100 * loaded) / total)} %`;
    },
  });
  const [input] = model.inputs;
  const [output] = model.outputs;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!input || !output || !context) throw new Error('this is not the model that the page is for');

  let asked = 0;
  const classify = async (): Promise<void> => {
    const mine = ++asked;
    const image = drawLine(context, text.value, turned.checked);
    const results = await model.run({ [input.name]: toInput(image) });
    const probabilities = results[output.name]?.data;
    if (mine !== asked || !(probabilities instanceof Float32Array)) return;
    const [upright = 0, reversed = 0] = probabilities;
    const share = (100 * Math.max(upright, reversed)).toFixed(1);
    answer.textContent = `${upright >= reversed ? 'Upright' : 'On its head'}, ${share} % sure`;
    document.documentElement.dataset.ready = String(mine);
  };
  const listen = (): void => void classify().catch(fail);
  text.addEventListener('input', listen);
  turned.addEventListener('change', listen);
  await classify();
}

function fail(error: unknown): void {
  answer.textContent = error instanceof Error ? error.message : String(error);
  document.documentElement.dataset.ready = 'failed';
}

start().catch(fail);
